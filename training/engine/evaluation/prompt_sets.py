"""What models that draw are asked for: the same prompts and seeds for each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.engine.data.pictures import Pixels
from training.engine.data.prompts import coloured, held_out, shows, text_of, unseen_pairs
from training.engine.data.rows import Row, Snapshot
from training.engine.evaluation import metrics
from training.engine.evaluation.calibration import informed
from training.engine.evaluation.judges import FeatureModel
from training.engine.evaluation.metrics import Values
from training.engine.recipes.base import ImageGenerator

HELD_OUT = 20  # prompts for each picture of a fixed prompt: 120 in all at the usual six
CONCEPTS = 12  # asked for at most
FEW = 5  # pictures that show a concept, and that do not, which a classifier needs
BATCH = 64  # pictures drawn at once


@dataclass(frozen=True)
class PromptSet:
    """Prompts, each drawn from the same ``seeds``, and the texts that theirs is to stand out of."""

    name: str  # ends the names of its figures
    prompts: tuple[str, ...]  # of more than one, none is empty
    seeds: tuple[int, ...]
    rows: tuple[Row, ...] = ()  # real pictures, one a prompt

    @property
    def texts(self) -> list[str]:
        """The distinct prompts."""
        return list(dict.fromkeys(self.prompts))

    def draw(self, generator: ImageGenerator) -> Pixels:
        """uint8 (prompts · seeds, s, s, 3), the seeds of a prompt side by side."""
        asked = [(prompt, seed) for prompt in self.prompts for seed in self.seeds]
        if not asked:
            return np.zeros((0, generator.size, generator.size, 3), np.uint8)
        parts = []
        for start in range(0, len(asked), BATCH):
            prompts, seeds = zip(*asked[start : start + BATCH], strict=True)
            parts.append(generator.draw(prompts, seeds))
        pictures: Pixels = np.concatenate(parts)
        return pictures

    @property
    def telling(self) -> bool:
        """Whether there are two texts or more to tell apart."""
        return len(self.texts) > 1

    @property
    def number(self) -> Tensor:
        """The number of the prompt of each picture (prompts · seeds,)."""
        return torch.arange(len(self.prompts)).repeat_interleave(len(self.seeds))

    @property
    def own(self) -> Tensor:
        """The number of the text of each picture (prompts · seeds,)."""
        number = {text: index for index, text in enumerate(self.texts)}
        asked = torch.tensor([number[prompt] for prompt in self.prompts])
        return asked.repeat_interleave(len(self.seeds))

    def hits(self, images: Tensor, judge: FeatureModel) -> Values:
        """R-precision (prompts,) of pictures' features (prompts · seeds, E)."""
        found = metrics.hits(images, judge.texts(self.texts), self.own)
        return metrics.by_prompt(found, self.number)

    def cosines(self, images: Tensor, judge: FeatureModel, shift: int = 0) -> Values:
        """Cosines (prompts,) of pictures with their own text, or the one ``shift`` texts on."""
        other = (self.own + shift) % len(self.texts)
        found = metrics.cosines(images, judge.texts(self.texts), other)
        return metrics.by_prompt(found, self.number)


def fixed(prompts: Sequence[str], seeds: Sequence[int]) -> PromptSet:
    """The prompts that a run is watched by."""
    return PromptSet("", tuple(prompts), tuple(seeds))


def of_held_out(snapshot: Snapshot, seed: int, samples: int) -> PromptSet:
    """What held-out pictures are said to show, a picture each."""
    rows = held_out(snapshot, HELD_OUT * samples)
    return PromptSet("_held_out", tuple(map(text_of, rows)), (seed,), rows)


def of_unseen_pairs(snapshot: Snapshot, prompts: Sequence[str], seeds: Sequence[int]) -> PromptSet:
    """Things in colours that no training picture shows them in."""
    pairs = unseen_pairs(snapshot, prompts)
    return PromptSet("_unseen_pairs", tuple(coloured(*pair) for pair in pairs), tuple(seeds))


def of_concepts(snapshot: Snapshot, seeds: Sequence[int]) -> PromptSet:
    """The commonest concepts that a classifier can learn, and be tested by held-out pictures."""
    names = snapshot.concepts
    train, test = informed(snapshot.train, names), informed(snapshot.test, names)
    yes, no = (train > 0.5).sum(0), (train < 0.5).sum(0)
    enough = (yes >= FEW) & (no >= FEW) & ((test > 0.5).sum(0) > 0) & ((test < 0.5).sum(0) > 0)
    order = sorted(np.flatnonzero(enough.numpy()), key=lambda index: -int(yes[index]))
    return PromptSet("_concepts", tuple(names[index] for index in order[:CONCEPTS]), tuple(seeds))


def spread(rows: Sequence[Row], count: int) -> Sequence[Row]:
    """About ``count`` of the rows, evenly spread."""
    return rows[:: max(1, len(rows) // count)][:count]


def shown(snapshot: Snapshot, prompts: Sequence[str]) -> tuple[list[Row], Tensor]:
    """Training pictures of the prompts, and the number of each one's prompt."""
    found = [
        (row, index)
        for row in snapshot.train
        for index, prompt in enumerate(prompts)
        if shows(row, prompt)
    ]
    return [row for row, _ in found], torch.tensor([index for _, index in found]).long()
