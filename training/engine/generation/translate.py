"""Draw the other half of each picture in a folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.engine.data import folders
from training.engine.data.pictures import Pixels, load_whole
from training.engine.files import TrainingError, write_bytes
from training.engine.generation.marker import Marker
from training.engine.recipes import load_translator

BATCH = 64  # pictures drawn together
NAMED = 5  # pictures that an error names, at most


@dataclass(frozen=True, kw_only=True)
class TranslationRequest:
    """What to draw: the other half of every picture of a folder.

    A picture's text stands in the ``.txt`` of its name; ``prompt`` stands for those without one.
    """

    images: Path
    prompt: str = ""
    seed: int = 0
    guidance: float | None = None  # None: the model's own
    steps: int | None = None  # None: the model's own


def translate(folder: Path, request: TranslationRequest, out: Path) -> int:
    """Write a marked PNG of the same stem for each picture, and return how many.

    Raise ``TrainingError`` where nothing can be drawn, and also, once all others are drawn, where
    some pictures cannot be read.
    """
    translator, marker = load_translator(folder), Marker.load(folder)
    paths = _pictures(request.images)
    unreadable: list[str] = []
    written = 0
    for start in range(0, len(paths), BATCH):
        chosen, pictures = _load(paths[start : start + BATCH], translator.size, unreadable)
        if not chosen:
            continue
        prompts = [_text(path) or request.prompt for path in chosen]
        drawn = translator.translate(
            pictures,
            prompts,
            [request.seed] * len(chosen),
            guidance=request.guidance,
            steps=request.steps,
        )
        for path, prompt, picture in zip(chosen, prompts, drawn, strict=True):
            write_bytes(out / f"{path.stem}.png", marker.png(picture, prompt))
        written += len(chosen)
    if unreadable:
        raise TrainingError(
            f"{written} of {len(paths)} pictures were drawn; these cannot be read, replace them: "
            f"{_named(unreadable)}."
        )
    return written


def _pictures(folder: Path) -> list[Path]:
    paths = folders.picture_paths(folder)
    if not paths:
        raise TrainingError(f"{folder} holds no pictures: name a folder that has some.")
    repeated = [stem for stem, count in Counter(path.stem for path in paths).items() if count > 1]
    if repeated:
        raise TrainingError(
            f"{folder} has two pictures that are called {_named(repeated)}, and both would become "
            "one file: rename one of them."
        )
    return paths


def _load(paths: Sequence[Path], size: int, unreadable: list[str]) -> tuple[list[Path], Pixels]:
    """Return the pictures (n, size, size, 3) that can be read; note the names of the others."""
    pictures: dict[Path, Pixels] = {}
    for path in paths:
        try:
            pictures[path] = load_whole(path, size)
        except TrainingError:
            unreadable.append(path.name)
    return list(pictures), np.array(list(pictures.values()), np.uint8)


def _text(picture: Path) -> str:
    return " ".join(folders.read_text(picture.with_suffix(".txt")).split())


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
