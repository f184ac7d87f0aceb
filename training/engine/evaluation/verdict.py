"""What judges say of a new model beside the current one, and what follows from it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from training.engine import metric_names
from training.engine.evaluation import intervals
from training.engine.evaluation.intervals import Estimate, Values
from training.engine.metric_names import ENCODER, PEOPLE


class Judgement(NamedTuple):
    """What one judge says; ``difference`` has the sign that makes up better."""

    name: str
    new: float
    current: float
    difference: Estimate
    margin: float  # by how much a model may be worse and still be called no worse
    n: int  # of prompts, pictures or answers that it rests on
    rival: str = ""  # ENCODER: its predictions; else the current model, or chance without one

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
    def gain(self) -> str:
        """Return by how much it is better or worse, and on what."""
        value, low, high = self.difference
        size = metric_names.size(self.name, value, high - low)
        spread = metric_names.spread(self.name, value, low, high)
        return f"by {size} on {metric_names.plain(self.name)} {spread}".strip()

    @property
    def figures(self) -> str:
        """Return both values with the difference and its interval."""
        new, current = (metric_names.figure(self.name, v) for v in (self.new, self.current))
        change = metric_names.difference(self.name, *self.difference)
        return f"{new} against {current}, {change}"

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
        words = {"n": self.n, "says": self.says, "rival": self.rival}
        return {"name": self.name, **finite, **words}


def paired(
    name: str, new: Values, current: Values, margin: float, up: bool = True, rival: str = ""
) -> Judgement:
    """Judge values (n,) of the same prompts or pictures; ``up``: whether more is better."""
    difference = intervals.mean(new - current if up else current - new)
    values = float(new.mean()), float(current.mean())
    return Judgement(name, *values, difference, margin, len(new), rival)


def verdict(
    judgements: Sequence[Judgement],
    *,
    has_current: bool,
    prompts: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> dict[str, Any]:
    """Return whether the new model is promoted, why, and what each judge says, for JSON.

    Without a current model the new one must be better than chance by every judge, and no worse than
    the frozen encoder where that has predicted already.
    """
    blocking = [
        each
        for each in judgements
        if each.blocks or (not has_current and each.rival != ENCODER and each.says != "better")
    ]
    return {
        "promoted": not blocking,
        "why": _refusal(blocking, has_current) if blocking else _approval(judgements, has_current),
        "judges": [judgement.as_json() for judgement in judgements],
        "prompts": list(prompts),
        "seeds": list(seeds),
    }


def _refusal(blocking: Sequence[Judgement], has_current: bool) -> str:
    judgement = next((j for j in blocking if j.says == "worse"), blocking[0])
    plain = metric_names.plain(judgement.name)
    margin = metric_names.size(judgement.name, judgement.margin)
    allowed = f"; it may be worse by {margin} at most" if judgement.margin else ""
    if judgement.rival == ENCODER:
        if judgement.says == "worse":
            return f"Worse than the image encoder {judgement.gain}."
        figures = f"{judgement.figures}{allowed}"
        return f"Not shown to be as good as the image encoder on {plain}: {figures}."
    if not has_current:
        return f"Not shown to be better than chance on {plain}: {judgement.figures}."
    if judgement.says == "worse":
        return f"Worse {judgement.gain}."
    return f"Too close to call on {plain}: {judgement.figures}{allowed}."


def _approval(judgements: Sequence[Judgement], has_current: bool) -> str:
    if not judgements:
        return "Nothing is held out to judge it by, so nothing finds it worse."
    if not has_current:
        return _first_approval(judgements)
    better = [judgement.gain for judgement in judgements if judgement.says == "better"]
    if not better:
        return "No worse than the current model on anything that was measured."
    elsewhere = ", no worse elsewhere" if len(better) < len(judgements) else ""
    return f"Better {_listed(better)}{elsewhere}."


def _first_approval(judgements: Sequence[Judgement]) -> str:
    """Return what a first model is better than: chance, and the frozen encoder if that predicts."""
    by_chance = [judgement.gain for judgement in judgements if judgement.rival != ENCODER]
    parts = [f"better than chance {_listed(by_chance)}"] if by_chance else []
    for judgement in judgements:
        if judgement.rival == ENCODER:
            plain = metric_names.plain(judgement.name)
            better = f"better than the image encoder {judgement.gain}"
            no_worse = f"no worse than the image encoder on {plain}"
            parts.append(better if judgement.says == "better" else no_worse)
    sentence = ", and ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
