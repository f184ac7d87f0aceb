"""What judges say of a new model beside the current one, and what follows from it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from training.engine import metric_names
from training.engine.evaluation import intervals
from training.engine.evaluation.intervals import Estimate, Values

PEOPLE = "people"  # the judge whose few answers cannot show that a model is no worse


class Judgement(NamedTuple):
    """What one judge says; ``difference`` has the sign that makes up better."""

    name: str
    new: float
    current: float
    difference: Estimate
    margin: float  # by how much a model may be worse and still be called no worse

    @property
    def says(self) -> str:
        """Return "better", "worse", "no worse" or "cannot tell"."""
        if self.difference.low > 0:
            return "better"
        if self.difference.high < 0:
            return "worse"
        return "no worse" if self.difference.low >= -self.margin else "cannot tell"

    @property
    def blocks(self) -> bool:
        """Return whether a new model cannot take the current one's place for this judge."""
        return self.says == "worse" or (self.says == "cannot tell" and self.name != PEOPLE)

    @property
    def sentence(self) -> str:
        """Return the figures in words."""
        value, low, high = self.difference
        margin = f"; it may be worse by {self.margin:.2g}" if self.margin else ""
        return (
            f"{metric_names.words(self.name)}: {self.new:.3g} against {self.current:.3g}, "
            f"better by {value:.3g}, between {low:.3g} and {high:.3g}{margin}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the figures for JSON, where what is not finite is null."""
        numbers = {
            "new": self.new,
            "current": self.current,
            "difference": self.difference.value,
            "low": self.difference.low,
            "high": self.difference.high,
            "margin": self.margin,
        }
        finite = {key: float(v) if math.isfinite(v) else None for key, v in numbers.items()}
        return {"name": self.name, **finite, "says": self.says}


def paired(name: str, new: Values, current: Values, margin: float, up: bool = True) -> Judgement:
    """Judge values (n,) of the same prompts or pictures; ``up``: whether more is better."""
    difference = intervals.mean(new - current if up else current - new)
    return Judgement(name, float(new.mean()), float(current.mean()), difference, margin)


def verdict(
    judgements: Sequence[Judgement],
    *,
    has_current: bool,
    prompts: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> dict[str, Any]:
    """Return whether the new model is promoted, why, and what each judge says, for JSON.

    Without a current model the new one must be better than chance by every judge.
    """
    blocking = [j for j in judgements if j.blocks or (not has_current and j.says != "better")]
    return {
        "promoted": not blocking,
        "why": _refusal(blocking, has_current) if blocking else _approval(judgements, has_current),
        "judges": [judgement.as_json() for judgement in judgements],
        "prompts": list(prompts),
        "seeds": list(seeds),
    }


def _refusal(blocking: Sequence[Judgement], has_current: bool) -> str:
    judgement = next((j for j in blocking if j.says == "worse"), blocking[0])
    if has_current:
        start = {
            "worse": "It is worse",
            "cannot tell": "It is unknown whether it is no worse",
        }.get(judgement.says, "It is no better")
        return f"{start} than the current model: {judgement.sentence}."
    return f"It is not shown to be better than chance: {judgement.sentence}."


def _approval(judgements: Sequence[Judgement], has_current: bool) -> str:
    if not judgements:
        return "There is nothing held out to judge it by, and no judge finds it worse."
    rival = "the current model" if has_current else "chance"
    better = [judgement.name for judgement in judgements if judgement.says == "better"]
    if better:
        return f"It is better than {rival} by {_listed(better)}, and worse by no judge."
    names = _listed([judgement.name for judgement in judgements])
    return f"It is no worse than {rival} by any judge: {names}."


def _listed(names: Sequence[str]) -> str:
    words = [f"“{metric_names.words(name)}”" for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
