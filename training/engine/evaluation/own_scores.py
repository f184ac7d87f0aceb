"""What a model says itself of pictures, where its kind says anything."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import digest
from training.engine.evaluation import intervals
from training.engine.evaluation.prompt_sets import PromptSet
from training.engine.recipes.base import ImageGenerator


@runtime_checkable
class Likelihood(Protocol):
    """A model that says how surprising pictures are."""

    @property
    def chance(self) -> float:
        """Return the nats per token of guessing."""

    def nats_per_token(self, pixels: Pixels, prompts: Sequence[str]) -> Tensor:
        """Return nats (n,), from 0, of uint8 pictures (n, size, size, 3) with a prompt each."""


@runtime_checkable
class Discriminator(Protocol):
    """A model that says how real pictures look to it."""

    @property
    def size(self) -> int:
        """Return the side in pixels of the pictures that it looks at."""

    def score(self, pictures: Pixels, prompts: Sequence[str]) -> Tensor:
        """Return scores (n,), higher where uint8 pictures (n, size, size, 3) look real."""


def measure(
    generator: ImageGenerator, prompt_set: PromptSet, pictures: Pixels, cache: Path
) -> dict[str, float]:
    """Return what the model says of held-out real pictures, and of its own of the same captions."""
    if not (prompt_set.rows and isinstance(generator, Likelihood | Discriminator)):
        return {}
    figures: dict[str, float] = {}
    real = np.asarray(pack(prompt_set.rows, generator.size, cache, digest(prompt_set.rows)))
    if isinstance(generator, Likelihood):
        nats = np.asarray(generator.nats_per_token(real, prompt_set.prompts).double().numpy())
        figures |= intervals.entries(
            "nats_per_token", intervals.mean(nats), chance=generator.chance
        )
    if isinstance(generator, Discriminator):
        of_real, of_generated = (
            generator.score(part, prompt_set.prompts) for part in (real, pictures)
        )
        told_apart = intervals.mean((of_real > of_generated).double().numpy())
        figures |= intervals.entries("discriminator_accuracy@discriminator", told_apart, chance=0.5)
    return figures
