"""Prompts and seeds for models that are to be held against each other: the same for each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.engine.data.pictures import Pixels
from training.engine.data.prompts import coloured, fits_prompt, held_out, text_of, unseen_pairs
from training.engine.data.rows import Row, Snapshot
from training.engine.evaluation import intervals, metrics
from training.engine.evaluation.calibration import informed
from training.engine.evaluation.intervals import Values
from training.engine.evaluation.judges import Judge
from training.engine.recipes.base import ImageGenerator

HELD_OUT = 20  # held-out prompts for each picture of a fixed prompt: 120 at the usual six
CONCEPTS = 12  # the most that are asked for
FEWEST = 5  # pictures that show a concept, and that do not, which a classifier needs
BATCH = 64  # pictures sampled at once


@dataclass(frozen=True)
class PromptSet:
    """Prompts, each with the same seeds, and the texts that theirs is to stand out of."""

    name: str  # ends the names of its figures
    prompts: tuple[str, ...]  # of more than one, none is empty
    seeds: tuple[int, ...]
    rows: tuple[Row, ...] = ()  # real pictures, one a prompt

    @property
    def texts(self) -> list[str]:
        """Return the distinct prompts."""
        return list(dict.fromkeys(self.prompts))

    def sample(self, generator: ImageGenerator, steps: int | None = None) -> Pixels:
        """Sample uint8 pictures (prompts · seeds, s, s, 3), the seeds of a prompt side by side.

        ``steps`` None is as many as the model makes.
        """
        pairs = [(prompt, seed) for prompt in self.prompts for seed in self.seeds]
        parts = [np.zeros((0, generator.size, generator.size, 3), np.uint8)]
        for start in range(0, len(pairs), BATCH):
            prompts, seeds = zip(*pairs[start : start + BATCH], strict=True)
            parts.append(generator.sample(prompts, seeds, steps=steps))
        return np.concatenate(parts)

    @property
    def has_several_texts(self) -> bool:
        """Return whether there are two texts or more to tell apart."""
        return len(self.texts) > 1

    @property
    def prompt_index(self) -> Tensor:
        """Return the number of each picture's prompt (prompts · seeds,)."""
        return torch.arange(len(self.prompts)).repeat_interleave(len(self.seeds))

    @property
    def text_index(self) -> Tensor:
        """Return the number of each picture's text (prompts · seeds,)."""
        number = {text: index for index, text in enumerate(self.texts)}
        of_prompts = torch.tensor([number[prompt] for prompt in self.prompts])
        return of_prompts.repeat_interleave(len(self.seeds))

    def r_precision(self, images: Tensor, judge: Judge) -> Values:
        """Return R-precision (prompts,), from 0 to 1, of features (prompts · seeds, E)."""
        hits = metrics.r_precision(images, judge.embed_texts(self.texts), self.text_index)
        return intervals.mean_by_prompt(hits, self.prompt_index)

    def cosines(self, images: Tensor, judge: Judge, shift: int = 0) -> Values:
        """Return cosines (prompts,) with a picture's own text, or with the one ``shift`` on."""
        other = (self.text_index + shift) % len(self.texts)
        cosines = metrics.cosines(images, judge.embed_texts(self.texts), other)
        return intervals.mean_by_prompt(cosines, self.prompt_index)


def fixed(prompts: Sequence[str], seeds: Sequence[int]) -> PromptSet:
    """Return the prompts that a run is watched by."""
    return PromptSet("", tuple(prompts), tuple(seeds))


def of_held_out(snapshot: Snapshot, seed: int, samples: int) -> PromptSet:
    """Return the texts of held-out pictures, to be sampled once each."""
    rows = held_out(snapshot, HELD_OUT * samples)
    return PromptSet("_held_out", tuple(map(text_of, rows)), (seed,), rows)


def of_unseen_pairs(snapshot: Snapshot, prompts: Sequence[str], seeds: Sequence[int]) -> PromptSet:
    """Return things in colours that no training picture shows them in."""
    pairs = unseen_pairs(snapshot, prompts)
    return PromptSet("_unseen_pairs", tuple(coloured(*pair) for pair in pairs), tuple(seeds))


def of_concepts(snapshot: Snapshot, seeds: Sequence[int]) -> PromptSet:
    """Return the commonest concepts that a classifier can learn, and be tested on when held out."""
    names = snapshot.concepts
    train, test = informed(snapshot.train, names), informed(snapshot.test, names)
    yes, no = (train > 0.5).sum(0), (train < 0.5).sum(0)
    testable = ((test > 0.5).sum(0) > 0) & ((test < 0.5).sum(0) > 0)
    usable = (yes >= FEWEST) & (no >= FEWEST) & testable
    order = sorted(np.flatnonzero(usable.numpy()), key=lambda index: -int(yes[index]))
    return PromptSet("_concepts", tuple(names[index] for index in order[:CONCEPTS]), tuple(seeds))


def spread(rows: Sequence[Row], count: int) -> Sequence[Row]:
    """Return at most ``count`` of the rows, evenly spread."""
    return rows[:: max(1, len(rows) // count)][:count]


def matching_rows(snapshot: Snapshot, prompts: Sequence[str]) -> tuple[list[Row], Tensor]:
    """Return training pictures that show a prompt, and the number of each one's prompt."""
    pairs = [
        (row, index)
        for row in snapshot.train
        for index, prompt in enumerate(prompts)
        if fits_prompt(row, prompt)
    ]
    return [row for row, _ in pairs], torch.tensor([index for _, index in pairs]).long()
