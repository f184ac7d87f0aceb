"""Compare a new generator with the current one, on the same prompts and seeds."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from training.engine.data.pictures import Pixels
from training.engine.data.rows import Snapshot
from training.engine.evaluation import distances, intervals, metrics, near_copies, prompt_sets
from training.engine.evaluation.intervals import Estimate, Values
from training.engine.evaluation.judges import Judge
from training.engine.evaluation.model_config import EvaluationSettings
from training.engine.evaluation.prompt_sets import PromptSet
from training.engine.evaluation.verdict import Judgement, paired
from training.engine.latents.neighbours import Neighbours
from training.engine.recipes import load_generator

MARGIN = 0.05  # of shares
DISTANCE_MARGIN = 0.1  # of the current model's distance from real pictures


class GeneratorComparison:
    """The prompts and seeds of both models: fixed, held out, and pairs never seen together."""

    def __init__(self, settings: EvaluationSettings, snapshot: Snapshot, judge: Judge) -> None:
        self.judge = judge
        self.training = snapshot.train
        self.seeds = settings.seeds
        held_out = prompt_sets.of_held_out(snapshot, settings.seed, settings.samples)
        every = [
            prompt_sets.fixed(settings.prompts, self.seeds),
            replace(held_out, seeds=tuple(self.seeds)),
            prompt_sets.of_unseen_pairs(snapshot, settings.prompts, self.seeds),
        ]
        self.prompt_sets = [prompt_set for prompt_set in every if prompt_set.prompts]

    @property
    def prompts(self) -> list[str]:
        """Return all prompts, in the order of `sample`."""
        return [prompt for prompt_set in self.prompt_sets for prompt in prompt_set.prompts]

    def sample(self, folder: Path) -> list[Pixels]:
        """Return a model's pictures (prompts · seeds, s, s, 3) of each prompt set."""
        generator = load_generator(folder)
        return [prompt_set.sample(generator) for prompt_set in self.prompt_sets]

    def against_chance(self, pictures: Sequence[Pixels]) -> list[Judgement]:
        """Judge a model's pictures where there is no current model."""
        hits, chances = self._r_precision(self._features(pictures))
        if not len(hits):
            return []
        return [paired(f"r_precision@{self.judge.name}", hits, chances, 0.0)]

    def against_current(
        self, pictures: Sequence[Pixels], new: Path, current: Path
    ) -> list[Judgement]:
        """Judge the new model's ``pictures`` beside those of the current model."""
        current_pictures = self.sample(current)
        features, current_features = self._features(pictures), self._features(current_pictures)
        hits, current_hits = self._r_precision(features)[0], self._r_precision(current_features)[0]
        judgements = []
        if len(hits):
            name = f"r_precision@{self.judge.name}"
            judgements.append(paired(name, hits, current_hits, MARGIN))
        copies = self._near_copies(pictures, new)
        current_copies = self._near_copies(current_pictures, current)
        judgements.append(paired("near_copies", copies, current_copies, MARGIN, up=False))
        for prompt_set, of_new, of_current in zip(
            self.prompt_sets, features, current_features, strict=True
        ):
            if len(prompt_set.rows) >= distances.FEWEST:
                judgements.append(self._kid(prompt_set, of_new, of_current))
        return judgements

    def _features(self, pictures: Sequence[Pixels]) -> list[Tensor]:
        return [self.judge.embed_pictures(part) for part in pictures]

    def _r_precision(self, features: Sequence[Tensor]) -> tuple[Values, Values]:
        """Return R-precision of all prompts that have others to stand out of, and chance's."""
        informative = [
            (prompt_set, part)
            for prompt_set, part in zip(self.prompt_sets, features, strict=True)
            if prompt_set.has_several_texts
        ]
        hits = [prompt_set.r_precision(part, self.judge) for prompt_set, part in informative]
        chances = [np.full(len(s.prompts), metrics.chance(len(s.texts))) for s, _ in informative]
        none = [np.zeros(0)]
        return np.concatenate(hits or none), np.concatenate(chances or none)

    def _near_copies(self, pictures: Sequence[Pixels], folder: Path) -> Values:
        """Return for each prompt the share of near copies of the model's own training pictures."""
        neighbours = Neighbours.load(folder)
        spacing = neighbours.spacing()
        parts = []
        for prompt_set, part in zip(self.prompt_sets, pictures, strict=True):
            nearest = near_copies.nearest_distances(part, neighbours)
            copies = near_copies.near_copies(nearest, spacing)
            parts.append(intervals.mean_by_prompt(copies, prompt_set.prompt_index))
        return np.concatenate(parts)

    def _kid(self, prompt_set: PromptSet, of_new: Tensor, of_current: Tensor) -> Judgement:
        real = self.judge.embed_rows(prompt_set.rows)
        new, current = metrics.kid(real, of_new).value, metrics.kid(real, of_current).value
        value, low, high = metrics.kid_difference(real, of_new, of_current)
        training = self.judge.embed_rows(prompt_sets.spread(self.training, len(real)))
        margin = distance_margin(current, metrics.kid(real, training))
        difference = Estimate(-value, -high, -low)
        name = f"kid@{self.judge.name}"
        return Judgement(name, new, current, difference, margin, len(of_new))


def distance_margin(current: float, floor: Estimate) -> float:
    """Return how much farther from real pictures a model may be and be called no worse.

    That is a tenth of the current model's distance, or what two lots of real pictures differ by
    chance if that is more, and known: ``floor`` is the distance of training pictures.
    """
    by_chance = floor.high - floor.value
    share = DISTANCE_MARGIN * abs(current)
    return max(share, by_chance) if math.isfinite(by_chance) else share
