"""Whether a new model is good enough to take the place of the current one.

    python -m training compare NEW CURRENT SNAPSHOT --out FILE [--answers FILE] [--cache DIR]
                               [--clip-model NAME --clip-pretrained WEIGHTS]

NEW and CURRENT are model folders of the same kind (both draw, or both are ``clip`` models);
CURRENT is ``-`` where there is none. Both draw the same prompts from the same seeds, and one
judge, which conditioned neither, looks at both. FILE gets, whole or not at all:

    {"promoted": bool, "why": one sentence,
     "judges": [{"name", "new", "current", "difference", "low", "high", "margin", "says"}, …],
     "prompts": [str, …], "seeds": [int, …]}

Numbers are floats or null. ``difference`` has the sign that makes up better; ``low`` and ``high``
are its 5th and 95th percentile. ``says`` is "better" (low > 0), "worse" (high < 0), "no worse"
(low ≥ −margin) or "cannot tell". The new model is promoted where every judge says "better" or
"no worse". The judge ``people`` has a veto alone: it blocks where it says "worse", because a few
answers cannot show that a model is no worse.

Without a current model a new one must draw different pictures for different seeds or prompts, and
be better than chance where that can be measured: ``current`` is then what chance would reach.

``--answers`` is JSON {"new": [p, …], "current": [p, …]}: for pictures that people were asked
about, the belief that they show what was asked; used where both have 20 or more.
Exit status 0 whatever the verdict; 1 with a sentence on stderr where there can be none.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.engine.data.pictures import Pixels
from training.engine.data.rows import Snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.text import Spec
from training.engine.evaluation import metrics, prompt_sets
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.evaluate import log_losses, opinions, read_about, retrieval
from training.engine.evaluation.generators import ENOUGH, distances, near_copies, settings
from training.engine.evaluation.judges import FeatureModel, choose
from training.engine.evaluation.metrics import Figure, Values
from training.engine.evaluation.prompt_sets import PromptSet
from training.engine.files import TrainingError, read_json
from training.engine.latents.neighbours import Neighbours
from training.engine.recipes import load_generator

MARGIN = 0.05  # of shares: by how much a model may be worse and still be called no worse
LOG_LOSS = 0.02  # the same in nats
SHARE = 0.1  # and of the current model's distance from real pictures, if that is more than how
# far by chance two lots of real pictures are apart
ANSWERS = 20  # about pictures of either model
PEOPLE = "people"


class Judgement(NamedTuple):
    """What one judge says; ``difference`` has the sign that makes up better."""

    name: str
    new: float
    current: float
    difference: Figure
    margin: float

    @property
    def says(self) -> str:
        if self.difference.low > 0:
            return "better"
        if self.difference.high < 0:
            return "worse"
        return "no worse" if self.difference.low >= -self.margin else "cannot tell"

    @property
    def blocks(self) -> bool:
        return self.says == "worse" or (self.says == "cannot tell" and self.name != PEOPLE)

    @property
    def sentence(self) -> str:
        """The figures in words."""
        value, low, high = self.difference
        return (
            f"{self.name} {self.new:.3g} against {self.current:.3g}, "
            f"better by {value:.3g}, between {low:.3g} and {high:.3g}, margin {self.margin:.2g}"
        )

    def written(self) -> dict[str, Any]:
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


def compare(
    new: Path,
    current: Path | None,
    snapshot: Snapshot,
    *,
    cache: Path,
    answers: Path | None = None,
    judge: Spec | None = None,
) -> dict[str, Any]:
    """The verdict, ready for JSON; raises ``TrainingError`` where there can be none."""
    abouts = [read_about(folder) for folder in (new, current) if folder]
    kinds = {about["recipe"] == "clip" for about in abouts}
    if len(kinds) > 1:
        raise TrainingError(f"{new} and {current} cannot be compared: only one of them draws.")
    heard = _people(answers) if answers and current else []
    if kinds == {True}:
        found = _clips(new, current, snapshot, cache)
        return _verdict([*found, *heard], current is not None, [], [])
    sheet = _Sheet(new, abouts, snapshot, choose_judge(abouts, new, snapshot, cache, judge))
    pictures = sheet.draw(new)
    if current:
        found = sheet.held_against(pictures, new, current)
        return _verdict([*found, *heard], True, sheet.prompts, sheet.seeds)
    if all(np.array_equal(part[0], other) for part in pictures for other in part):
        why = "It draws one and the same picture whatever it is asked for."
        return {
            "promoted": False,
            "why": why,
            "judges": [],
            "prompts": sheet.prompts,
            "seeds": sheet.seeds,
        }
    return _verdict(sheet.held_against_chance(pictures), False, sheet.prompts, sheet.seeds)


def choose_judge(
    abouts: Sequence[dict[str, Any]],
    folder: Path,
    snapshot: Snapshot,
    cache: Path,
    spec: Spec | None,
) -> FeatureModel:
    """One that conditioned none of the models."""
    conditioners = [about.get("clip") or {} for about in abouts]
    steps = settings(folder, abouts[0])[2]
    return choose(snapshot, steps, cache, spec=spec, conditioners=conditioners)


def _verdict(
    found: Sequence[Judgement], current: bool, prompts: Sequence[str], seeds: Sequence[int]
) -> dict[str, Any]:
    against = "the current model" if current else "chance"
    blocking = [one for one in found if one.blocks or (not current and one.says != "better")]
    better = [one.name for one in found if one.says == "better"]
    if blocking:
        one = next((b for b in blocking if b.says == "worse"), blocking[0])
        verb = {"worse": "It is worse", "cannot tell": "It cannot be told whether it is no worse"}
        start = verb.get(one.says, "It is no better") if current else "It is not shown to be better"
        why = f"{start} than {against}: {one.sentence}."
    elif not found:
        why = "There is nothing held out to judge it by, and no judge finds it worse."
    elif better:
        why = f"It is better than {against} by {_listed(better)}, and worse by no judge."
    else:
        why = f"It is no worse than {against} by any judge: {_listed([o.name for o in found])}."
    return {
        "promoted": not blocking,
        "why": why,
        "judges": [one.written() for one in found],
        "prompts": list(prompts),
        "seeds": list(seeds),
    }


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


class _Sheet:
    """The same prompts and seeds for both models: fixed, held out, and pairs never seen."""

    def __init__(
        self,
        folder: Path,
        abouts: Sequence[dict[str, Any]],
        snapshot: Snapshot,
        judge: FeatureModel,
    ) -> None:
        seed, samples, _ = settings(folder, abouts[0])
        self.judge = judge
        self.training = snapshot.train
        self.seeds = list(range(seed, seed + samples))
        fixed = list(abouts[0]["prompts"]) or [""]
        held_out = replace(
            prompt_sets.of_held_out(snapshot, seed, samples), seeds=tuple(self.seeds)
        )
        pairs = prompt_sets.of_unseen_pairs(snapshot, fixed, self.seeds)
        sheet = [prompt_sets.fixed(fixed, self.seeds), held_out, pairs]
        self.exams = [prompt_set for prompt_set in sheet if prompt_set.prompts]

    @property
    def prompts(self) -> list[str]:
        return [prompt for prompt_set in self.exams for prompt in prompt_set.prompts]

    def draw(self, folder: Path) -> list[Pixels]:
        generator = load_generator(folder)
        return [prompt_set.draw(generator) for prompt_set in self.exams]

    def hits(self, images: Sequence[Tensor]) -> tuple[Values, Values]:
        """R-precision of all prompts of exams that tell texts apart, and what chance reaches."""
        telling = [(e, part) for e, part in zip(self.exams, images, strict=True) if e.telling]
        found = [prompt_set.hits(part, self.judge) for prompt_set, part in telling]
        chances = [np.full(len(e.prompts), metrics.chance(len(e.texts))) for e, _ in telling]
        none = [np.zeros(0)]
        return np.concatenate(found or none), np.concatenate(chances or none)

    def held_against_chance(self, pictures: Sequence[Pixels]) -> list[Judgement]:
        hits, chances = self.hits([self.judge.pictures(part) for part in pictures])
        if not len(hits):
            return []
        return [_paired(f"r_precision@{self.judge.name}", hits, chances, 0.0)]

    def held_against(self, pictures: Sequence[Pixels], new: Path, current: Path) -> list[Judgement]:
        theirs = self.draw(current)
        mine, others = (
            [self.judge.pictures(part) for part in drawn] for drawn in (pictures, theirs)
        )
        hits, theirs_hits = self.hits(mine)[0], self.hits(others)[0]
        found = []
        if len(hits):
            name = f"r_precision@{self.judge.name}"
            found.append(_paired(name, hits, theirs_hits, MARGIN))
        copies, theirs_copies = self._copies(pictures, new), self._copies(theirs, current)
        found.append(_paired("near_copies", copies, theirs_copies, MARGIN, up=False))
        for prompt_set, one, other in zip(self.exams, mine, others, strict=True):
            if len(prompt_set.rows) >= ENOUGH:
                found.append(self._kid(prompt_set, one, other))
        return found

    def _copies(self, pictures: Sequence[Pixels], folder: Path) -> Values:
        """Of each prompt, the share of near copies of the model's own training pictures."""
        neighbours = Neighbours.load(folder)
        apart = neighbours.apart()
        parts = [
            metrics.by_prompt(near_copies(distances(part, neighbours), apart), prompt_set.number)
            for prompt_set, part in zip(self.exams, pictures, strict=True)
        ]
        return np.concatenate(parts)

    def _kid(self, prompt_set: PromptSet, mine: Tensor, theirs: Tensor) -> Judgement:
        real, name = self.judge.rows(prompt_set.rows), f"kid@{self.judge.name}"
        new, current = metrics.kid(real, mine).value, metrics.kid(real, theirs).value
        value, low, high = metrics.kid_difference(real, mine, theirs)
        floor = metrics.kid(real, self.judge.rows(prompt_sets.spread(self.training, len(real))))
        margin = max(SHARE * abs(current), floor.high - floor.value)
        return Judgement(name, new, current, Figure(-value, -high, -low), margin)


def _paired(name: str, new: Values, current: Values, margin: float, up: bool = True) -> Judgement:
    """Values of the same prompts or pictures (n,) by both; ``up``: whether more is better."""
    difference = metrics.mean(new - current if up else current - new)
    return Judgement(name, float(new.mean()), float(current.mean()), difference, margin)


# What people answered


def _people(path: Path) -> list[Judgement]:
    answers = read_json(path)
    try:
        new, current = (np.array([float(p) for p in answers[key]]) for key in ("new", "current"))
        if not all(((part >= 0) & (part <= 1)).all() for part in (new, current)):
            raise ValueError(path)
    except (KeyError, TypeError, ValueError):
        raise TrainingError(
            f"{path} must hold two lists of probabilities, new and current."
        ) from None
    if min(len(new), len(current)) < ANSWERS:
        return []
    difference = metrics.difference(new, current)
    return [Judgement(PEOPLE, float(new.mean()), float(current.mean()), difference, MARGIN)]


# Models that know which text fits which picture


def _clips(new: Path, current: Path | None, snapshot: Snapshot, cache: Path) -> list[Judgement]:
    mine = _of_clip(new, snapshot, cache)
    if current:
        theirs = _of_clip(current, snapshot, cache)
    else:
        chance = {
            "recall@10": 10 / max(1, len(mine.get("recall@10", ()))),
            "caption_among_ten": 0.1,
        }
        theirs = {name: np.full(len(v), chance[name]) for name, v in mine.items() if name in chance}
    margins = {"concept_log_loss": LOG_LOSS}
    return [
        _paired(name, mine[name], values, margins.get(name, MARGIN), up="loss" not in name)
        for name, values in theirs.items()
    ]


def _of_clip(folder: Path, snapshot: Snapshot, cache: Path) -> dict[str, Values]:
    """Of each held-out picture: whether it is found, and its mean log loss over concepts."""
    clip, found = load_clip(folder), {}
    retrieved = retrieval(clip, snapshot, cache)
    if retrieved:
        found = {"recall@10": retrieved.recall, "caption_among_ten": retrieved.among_ten}
    if snapshot.test and snapshot.concepts:
        opinion = opinions(clip, Calibration.load(folder), snapshot, cache)
        if opinion.rows:
            losses = torch.cat(log_losses(opinion)).double().numpy()
            found["concept_log_loss"] = metrics.by_prompt(losses, torch.cat(opinion.rows))
    return found
