"""Pictures from a finished model, each with the training pictures that it is nearest to."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.engine.data.pictures import Pixels, load, png, tiled
from training.engine.files import TrainingError, write_bytes
from training.engine.latents.neighbours import Neighbours
from training.engine.recipes import load_generator
from training.engine.recipes.base import ImageGenerator, OnProgress

NEAREST = 3  # training pictures named with each sample
PART = 64  # pictures drawn together
STRIP = 8  # pictures, where nobody says how many


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """What to draw: a picture for each prompt and its seed, unless it says otherwise.

    ``strip`` > 0 wants so many pictures from the first of two prompts and seeds to the second.
    ``given`` is a picture: its lower half is drawn anew for each prompt and seed.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    guidance: float | None = None  # the model's own
    steps: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    strip: int = 0
    given: Path | None = None


@dataclass(frozen=True)
class Sampler:
    """A model that draws, and the training pictures that it may have copied."""

    generator: ImageGenerator
    neighbours: Neighbours

    @classmethod
    def load(cls, folder: Path) -> "Sampler":
        return cls(load_generator(folder), Neighbours.load(folder))

    def draw(self, wish: GenerationRequest, tell: OnProgress | None = None) -> Pixels:
        """uint8 (n, s, s, 3); raises ``TrainingError`` where the model cannot do it."""
        generator = self.generator.adjusted(wish.options) if wish.options else self.generator
        if wish.strip:
            return _strip(generator, wish, tell)
        given = None if wish.given is None else _given(generator, wish.given)
        parts, total = [], len(wish.prompts)
        for start in range(0, total, PART):
            asked = slice(start, start + PART)
            heard = _part(tell, start / total, min(PART, total - start) / total)
            parts.append(_draw(generator, wish, asked, given, heard))
        return np.concatenate(parts)

    def records(self, wish: GenerationRequest, pictures: Pixels) -> list[dict[str, Any]]:
        """What is known of each picture: prompt, seed, guidance, nearest training pictures."""
        distances, indices = self.neighbours.nearest(pictures, NEAREST)
        guidance = self.generator.guidance if wish.guidance is None else wish.guidance
        found = []
        for i, (prompt, seed) in enumerate(_asked(wish)):
            near = zip(indices[i].tolist(), distances[i].tolist(), strict=True)
            nearest = [
                {"file_name": self.neighbours.names[n], "distance": round(d, 4)} for n, d in near
            ]
            found.append({"prompt": prompt, "seed": seed, "guidance": guidance, "nearest": nearest})
        return found


def sample(folder: Path, wish: GenerationRequest, out: Path, *, count: int = 1) -> int:
    """Carry out a wish in which each prompt stands ``count`` times; the number of pictures.

    Writes ``0000-00.png`` (prompt, picture), ``samples.jsonl``, and a strip also as one picture.
    """
    artist = Sampler.load(folder)
    pictures = artist.draw(wish)
    lines = []
    for i, record in enumerate(artist.records(wish, pictures)):
        prompt, number = (0, i) if wish.strip else divmod(i, count)
        name = f"{prompt:04}-{number:02}.png"
        write_bytes(out / name, png(pictures[i]))
        lines.append(json.dumps({"file": name, **record}) + "\n")
    if wish.strip:
        write_bytes(out / "strip.png", png(tiled(pictures, len(pictures))))
    write_bytes(out / "samples.jsonl", "".join(lines).encode())
    return len(lines)


def ends(prompts: Sequence[str], seeds: tuple[int, int]) -> tuple[tuple[str, ...], tuple[int, int]]:
    """The two prompts and seeds of a strip; one prompt stands for both."""
    if len(prompts) > 2:
        raise TrainingError(f"A strip goes from one prompt to another, not over {len(prompts)}.")
    if len(prompts) == 1 and seeds[0] == seeds[1]:
        raise TrainingError("A strip needs two prompts or two seeds: nothing would change.")
    return (prompts[0], prompts[-1]), seeds


def read_prompts(path: Path) -> list[str]:
    """A prompt a line; an empty line is "no prompt"."""
    try:
        prompts = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"The prompts {path} cannot be read: {error}.") from None
    if not prompts:
        raise TrainingError(f"{path} holds no line: write a prompt a line, or an empty line.")
    return prompts


def _strip(generator: ImageGenerator, wish: GenerationRequest, tell: OnProgress | None) -> Pixels:
    if len(wish.prompts) != 2 or len(wish.seeds) != 2 or wish.strip < 2:
        raise TrainingError("A strip has two ends: give two prompts and two seeds.")
    first, last = wish.prompts
    return generator.between(
        (first, last),
        (wish.seeds[0], wish.seeds[1]),
        wish.strip,
        guidance=wish.guidance,
        steps=wish.steps,
        tell=tell,
    )


def _draw(
    generator: ImageGenerator,
    wish: GenerationRequest,
    asked: slice,
    given: Pixels | None,
    tell: OnProgress | None,
) -> Pixels:
    prompts, seeds = wish.prompts[asked], wish.seeds[asked]
    if given is None:
        return generator.draw(prompts, seeds, guidance=wish.guidance, steps=wish.steps, tell=tell)
    pictures = np.repeat(given, len(prompts), axis=0)
    drawn: Pixels = generator.complete(  # type: ignore[attr-defined]  # asked for in _given
        pictures, prompts, seeds, guidance=wish.guidance, tell=tell
    )
    return drawn


def _given(generator: ImageGenerator, path: Path) -> Pixels:
    """The picture to be completed, as the model sees pictures: (1, s, s, 3)."""
    if not hasattr(generator, "complete"):
        raise TrainingError("This model completes no pictures: take one of autoregressive.")
    return load(path, [None], generator.size)


def _asked(wish: GenerationRequest) -> Iterator[tuple[str | None, int | None]]:
    """Prompt and seed of each picture; None where a strip is between two of them."""
    if not wish.strip:
        yield from zip(wish.prompts, wish.seeds, strict=True)
        return
    prompt = wish.prompts[0] if wish.prompts[0] == wish.prompts[1] else None
    seed = wish.seeds[0] if wish.seeds[0] == wish.seeds[1] else None
    yield wish.prompts[0], wish.seeds[0]
    for _ in range(wish.strip - 2):
        yield prompt, seed
    yield wish.prompts[1], wish.seeds[1]


def _part(tell: OnProgress | None, done: float, share: float) -> OnProgress | None:
    """What a part of the pictures tells, as a share of all of them."""
    return None if tell is None else lambda part: tell(done + share * part)
