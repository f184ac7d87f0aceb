"""How real the pictures of a folder look to a model, and how well they fit what they should show.

Only a model with a discriminator can say: one of the recipe `gan`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from training.engine.data.folders import SUFFIXES
from training.engine.data.pictures import Pixels, load_all
from training.engine.files import TrainingError
from training.engine.generation.sample import read_prompts
from training.engine.recipes import load_generator


@runtime_checkable
class Critic(Protocol):
    """A model that scores pictures."""

    @property
    def size(self) -> int: ...

    def score(self, pictures: Pixels, prompts: Sequence[str]) -> Tensor:
        """Higher is better (n,), for uint8 pictures (n, size, size, 3) and a prompt each."""


def score(folder: Path, pictures: Path, prompts: Path | None = None) -> list[tuple[str, float]]:
    """Each picture's name and score, best first.

    ``prompts`` holds one line for all of them, or a line each in the order of their names; without
    it they are judged for being real alone. Raises ``TrainingError`` where something is missing.
    """
    critic = load_generator(folder)
    if not isinstance(critic, Critic):
        raise TrainingError(f"{folder} holds no model that scores: give one of the recipe gan.")
    paths = sorted(path for path in pictures.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise TrainingError(f"{pictures} holds no pictures.")
    lines = read_prompts(prompts) if prompts else [""]
    if len(lines) == 1:
        lines = lines * len(paths)
    if len(lines) != len(paths):
        raise TrainingError(
            f"{prompts} has {len(lines)} lines for {len(paths)} pictures: "
            "write one for all, or one for each in the order of their names."
        )
    pixels = np.concatenate(list(load_all([(path, [None]) for path in paths], critic.size)))
    scores = critic.score(pixels, lines).tolist()
    named = zip((path.name for path in paths), scores, strict=True)
    return sorted(named, key=lambda pair: -pair[1])
