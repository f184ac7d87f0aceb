"""Score how real pictures look to a model's discriminator, and how well they fit prompts.

Only models of the recipe `gan` have a discriminator.
"""

from pathlib import Path

import numpy as np

from training.engine.data.folders import picture_paths
from training.engine.data.pictures import load_all
from training.engine.evaluation.own_scores import Discriminator
from training.engine.files import TrainingError
from training.engine.generation.sample import read_prompts
from training.engine.recipes import load_generator


def score(folder: Path, pictures: Path, prompts: Path | None = None) -> list[tuple[str, float]]:
    """Return each picture's name and score, best first.

    ``prompts`` holds one line for all of them, or a line each in the order of their names; without
    it pictures are judged for being real alone. Raise ``TrainingError`` where something is missing.
    """
    discriminator = load_generator(folder)
    if not isinstance(discriminator, Discriminator):
        raise TrainingError(f"{folder} holds no model that scores: give one of the recipe gan.")
    paths = picture_paths(pictures)
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
    pixels = np.concatenate(list(load_all([(path, [None]) for path in paths], discriminator.size)))
    scores = discriminator.score(pixels, lines).tolist()
    named = zip((path.name for path in paths), scores, strict=True)
    return sorted(named, key=lambda pair: -pair[1])
