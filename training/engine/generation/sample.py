"""Sample pictures from a finished model and name the training pictures nearest to each."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.engine.data.pictures import Pixels, load, tiled
from training.engine.files import TrainingError, write_bytes
from training.engine.generation.marker import Marker
from training.engine.latents.neighbours import Neighbours
from training.engine.recipes import load_generator
from training.engine.recipes.base import ImageGenerator
from training.engine.sampling.progress import OnProgress

NEAREST = 3  # training pictures named with each sample
BATCH = 64  # pictures sampled together
FRAMES = 8  # of an interpolation, where nobody says how many


@dataclass(frozen=True, kw_only=True)
class SamplingRequest:
    """What to sample: one picture per prompt and seed, unless one of the last two fields is set.

    ``frames`` > 0 asks for that many pictures that interpolate from the first to the second of
    two prompts and seeds. ``image`` is a picture whose lower half is inpainted, or, by a model of
    pairs, whose other half is drawn, once per prompt and seed.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    guidance: float | None = None  # None: the model's own
    steps: int | None = None  # None: the model's own
    options: dict[str, Any] = field(default_factory=dict)
    frames: int = 0
    image: Path | None = None


@dataclass(frozen=True)
class Sampler:
    """A model that generates images, what it may have copied, and the mark of its pictures."""

    generator: ImageGenerator
    neighbours: Neighbours | None  # None: it was pushed without them
    marker: Marker

    @classmethod
    def load(cls, folder: Path) -> "Sampler":
        """Load a model folder; raise ``TrainingError`` where it holds no such model."""
        generator = load_generator(folder)
        neighbours = Neighbours.load(folder) if Neighbours.is_in(folder) else None
        return cls(generator, neighbours, Marker.load(folder))

    def sample(self, request: SamplingRequest, on_progress: OnProgress | None = None) -> Pixels:
        """Return uint8 (n, s, s, 3); raise ``TrainingError`` where the model cannot do it."""
        generator = self.generator
        if request.options:
            generator = generator.with_options(request.options)
        if request.frames:
            return _interpolate(generator, request, on_progress)
        image = None if request.image is None else _load_image(generator, request.image)
        batches, total = [], len(request.prompts)
        for start in range(0, total, BATCH):
            batch = slice(start, start + BATCH)
            scaled = _scaled(on_progress, start / total, min(BATCH, total - start) / total)
            batches.append(_sample_batch(generator, request, batch, image, scaled))
        return np.concatenate(batches)

    def records(self, request: SamplingRequest, pictures: Pixels) -> list[dict[str, Any]]:
        """Return prompt, seed, guidance and nearest training pictures of each sample."""
        nearest = self._nearest(pictures)
        guidance = self.generator.guidance if request.guidance is None else request.guidance
        records = []
        for i, (prompt, seed) in enumerate(_prompts_and_seeds(request)):
            record = {"prompt": prompt, "seed": seed, "guidance": guidance, "nearest": nearest[i]}
            records.append(record)
        return records

    def _nearest(self, pictures: Pixels) -> list[list[dict[str, Any]]]:
        """Return the training pictures nearest to each sample, nearest first."""
        if self.neighbours is None:
            return [[] for _ in pictures]
        names = self.neighbours.names
        distances, indices = self.neighbours.nearest(pictures, NEAREST)
        return [
            [{"file_name": names[n], "distance": round(d, 4)} for n, d in zip(*pair, strict=True)]
            for pair in zip(indices.tolist(), distances.tolist(), strict=True)
        ]

    def encode(self, request: SamplingRequest, pixels: Pixels, prompt: str | None) -> bytes:
        """Return a sample (s, s, 3), or several side by side, as a marked PNG."""
        return self.marker.png(pixels, prompt, composite=request.image is not None)


def write_samples(folder: Path, request: SamplingRequest, out: Path, *, count: int = 1) -> int:
    """Execute a request that repeats each prompt ``count`` times; return how many files it wrote.

    Writes ``0000-00.png`` (prompt, picture) and ``samples.jsonl``, and for an interpolation also
    ``strip.png``, all of its frames side by side.
    """
    sampler = Sampler.load(folder)
    pictures = sampler.sample(request)
    lines = []
    for i, record in enumerate(sampler.records(request, pictures)):
        prompt, number = (0, i) if request.frames else divmod(i, count)
        name = f"{prompt:04}-{number:02}.png"
        write_bytes(out / name, sampler.encode(request, pictures[i], record["prompt"]))
        lines.append(json.dumps({"file": name, **record}) + "\n")
    if request.frames:
        only = request.prompts[0] if len(set(request.prompts)) == 1 else None
        strip = sampler.encode(request, tiled(pictures, len(pictures)), only)
        write_bytes(out / "strip.png", strip)
    write_bytes(out / "samples.jsonl", "".join(lines).encode())
    return len(lines)


def interpolation_ends(
    prompts: Sequence[str], seeds: tuple[int, int]
) -> tuple[tuple[str, ...], tuple[int, int]]:
    """Return the two prompts and seeds to interpolate between; one prompt stands for both."""
    if len(prompts) > 2:
        raise TrainingError(f"A strip goes from one prompt to another, not over {len(prompts)}.")
    if len(prompts) == 1 and seeds[0] == seeds[1]:
        raise TrainingError("A strip needs two prompts or two seeds: nothing would change.")
    return (prompts[0], prompts[-1]), seeds


def read_prompts(path: Path) -> list[str]:
    """Read one prompt per line, ended by a line feed; an empty line is "no prompt"."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"The prompts {path} cannot be read: {error}.") from None
    if not text:
        raise TrainingError(f"{path} holds no line: write a prompt a line, or an empty line.")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def _interpolate(
    generator: ImageGenerator, request: SamplingRequest, on_progress: OnProgress | None
) -> Pixels:
    if len(request.prompts) != 2 or len(request.seeds) != 2 or request.frames < 2:
        raise TrainingError("A strip has two ends: give two prompts and two seeds.")
    first, last = request.prompts
    return generator.interpolate(
        (first, last),
        (request.seeds[0], request.seeds[1]),
        request.frames,
        guidance=request.guidance,
        steps=request.steps,
        on_progress=on_progress,
    )


def _sample_batch(
    generator: ImageGenerator,
    request: SamplingRequest,
    batch: slice,
    image: Pixels | None,
    on_progress: OnProgress | None,
) -> Pixels:
    prompts, seeds, guidance = request.prompts[batch], request.seeds[batch], request.guidance
    if image is None:
        return generator.sample(
            prompts, seeds, guidance=guidance, steps=request.steps, on_progress=on_progress
        )
    images = np.repeat(image, len(prompts), axis=0)
    inpainted: Pixels = generator.inpaint(  # type: ignore[attr-defined]  # see _load_image
        images, prompts, seeds, guidance=guidance, on_progress=on_progress
    )
    return inpainted


def _load_image(generator: ImageGenerator, path: Path) -> Pixels:
    """Load the picture to inpaint at the model's size, (1, s, s, 3)."""
    if not hasattr(generator, "inpaint"):
        raise TrainingError("This model completes no pictures: take one of autoregressive.")
    return load(path, [None], generator.size)


def _prompts_and_seeds(
    request: SamplingRequest,
) -> Iterator[tuple[str | None, int | None]]:
    """Yield each picture's prompt and seed; None for frames between two different ones."""
    if not request.frames:
        yield from zip(request.prompts, request.seeds, strict=True)
        return
    prompt = request.prompts[0] if request.prompts[0] == request.prompts[1] else None
    seed = request.seeds[0] if request.seeds[0] == request.seeds[1] else None
    yield request.prompts[0], request.seeds[0]
    for _ in range(request.frames - 2):
        yield prompt, seed
    yield request.prompts[1], request.seeds[1]


def _scaled(on_progress: OnProgress | None, start: float, share: float) -> OnProgress | None:
    """Map a batch's progress to its part of the whole."""
    if on_progress is None:
        return None
    return lambda progress: on_progress(start + share * progress)
