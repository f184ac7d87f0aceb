"""Draw the other half of each picture in a folder, or of one picture for another process."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.engine.data import folders
from training.engine.data.pictures import Pixels, load_whole
from training.engine.files import TrainingError, write_bytes
from training.engine.generation.marker import Marker
from training.engine.generation.sample import SamplingRequest
from training.engine.recipes import load_translator
from training.engine.recipes.base import Translator
from training.engine.sampling.progress import OnProgress

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


@dataclass(frozen=True)
class TranslatingSampler:
    """A model of pairs that stays loaded, and the mark of its pictures."""

    translator: Translator
    marker: Marker

    @classmethod
    def load(cls, folder: Path) -> "TranslatingSampler":
        """Load a model folder; raise ``TrainingError`` where it holds no model of pairs."""
        return cls(load_translator(folder), Marker.load(folder))

    def sample(self, request: SamplingRequest, on_progress: OnProgress | None = None) -> Pixels:
        """Return the other half of the request's picture once per prompt and seed (n, s, s, 3).

        Raise ``TrainingError`` where there is no picture, or none that can be read.
        """
        if request.image is None or request.frames:
            raise TrainingError("This model draws the other half of a picture: give it one.")
        translator = self.translator
        if request.options:
            translator = translator.with_options(request.options)
        given = load_whole(request.image, translator.size)
        return translator.translate(
            np.repeat(given[None], len(request.prompts), 0),
            request.prompts,
            request.seeds,
            guidance=request.guidance,
            steps=request.steps,
            on_progress=on_progress,
        )

    def records(self, request: SamplingRequest, pictures: Pixels) -> list[dict[str, Any]]:
        """Return prompt, seed and guidance of each picture; which are near it, no pair says."""
        guidance = self.translator.guidance if request.guidance is None else request.guidance
        return [
            {"prompt": prompt, "seed": seed, "guidance": guidance, "nearest": []}
            for prompt, seed in zip(request.prompts, request.seeds, strict=True)
        ]

    def encode(self, request: SamplingRequest, pixels: Pixels, prompt: str | None) -> bytes:
        """Return a picture (s, s, 3) as a marked PNG: all of it was drawn."""
        return self.marker.png(pixels, prompt)


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
