"""A snapshot of coloured shapes at random places, and painters whose worth is known."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from training.engine.data.colours import PROTOTYPES
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels, png
from training.engine.data.rows import Snapshot
from training.engine.files import TrainingError, write_json
from training.engine.latents.neighbours import Neighbours
from training.engine.sampling.progress import OnProgress

COLOURS = ("red", "yellow", "green", "blue", "purple", "brown")
SHAPES = ("square", "disc", "cross")
UNSEEN = {("red", "disc"), ("green", "square"), ("blue", "cross")}
SIDE = 32


def paint(colour: str, shape: str, seed: int) -> Pixels:
    """Paint a shape (SIDE, SIDE, 3) anywhere on white."""
    random = np.random.default_rng(seed)
    across, down = random.integers(9, SIDE - 9, 2)
    radius = int(random.integers(6, 9))
    y, x = np.ogrid[:SIDE, :SIDE]
    x, y = abs(x - across), abs(y - down)
    inside = {
        "square": np.maximum(x, y) <= radius,
        "disc": x * x + y * y <= radius * radius,
        "cross": (np.minimum(x, y) <= 2) & (np.maximum(x, y) <= radius),
    }[shape]
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[inside] = np.clip(np.array(PROTOTYPES[colour]) + random.integers(-12, 13, 3), 0, 255)
    return pixels


def write_gallery(folder: Path, train: int = 12, test: int = 4) -> Path:
    """Write a snapshot of so many pictures of each pair of colour and shape but for `UNSEEN`."""
    every = COLOURS + SHAPES
    pairs = [(c, s) for c in COLOURS for s in SHAPES if (c, s) not in UNSEEN]
    for start, (split, count) in ((0, ("train", train)), (9000, ("test", test))):
        (folder / split).mkdir(parents=True)
        lines = []
        for number, (colour, shape) in enumerate(pairs * count):
            content = png(paint(colour, shape, start + number))
            name = f"{hashlib.sha256(content).hexdigest()[:16]}.png"
            (folder / split / name).write_bytes(content)
            concepts = [
                {"name": known, "probability": 0.98 if known in (colour, shape) else 0.01}
                for known in every
            ]
            caption = {"text": f"a {colour} {shape}", "confidence": 0.95}
            row = {"file_name": name, "captions": [caption], "tags": [], "concepts": concepts}
            lines.append(json.dumps(row) + "\n")
        (folder / split / "metadata.jsonl").write_text("".join(lines))
    manifest = {"format": 3, "project": "gallery", "concepts": [*COLOURS, *SHAPES]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@dataclass(frozen=True)
class Painter:
    """A generator that paints what it is asked for in ``skill`` of all cases, else anything."""

    skill: float = 1.0
    stock: Pixels | None = None  # draws nothing but these
    size: int = SIDE
    guidance: float = 1.0

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        confidence: float | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> Pixels:
        return np.stack([self._one(p, s) for p, s in zip(prompts, seeds, strict=True)])

    def _one(self, prompt: str, seed: int) -> Pixels:
        digest = hashlib.sha256(f"{prompt} {seed}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        if self.stock is not None:
            picture: Pixels = self.stock[random.integers(len(self.stock))]
            return picture
        words = set(prompt.split()) if random.random() < self.skill else set()
        colour = next((c for c in COLOURS if c in words), COLOURS[random.integers(len(COLOURS))])
        shape = next((s for s in SHAPES if s in words), SHAPES[random.integers(len(SHAPES))])
        return paint(colour, shape, int(random.integers(2**31)))

    def interpolate(self, *arguments: Any, **options: Any) -> Pixels:
        raise NotImplementedError

    def with_options(self, options: dict[str, Any]) -> Self:
        raise TrainingError("There is nothing to adjust.")


def write_model(folder: Path, snapshot: Snapshot, cache: Path, **changes: Any) -> Path:
    """Write all of a generator's model folder but the weights."""
    prompts = [f"a {colour} {shape}" for colour, shape in zip(COLOURS, SHAPES * 2, strict=True)]
    network = {"samples": 4, "judge_steps": 0, **changes}
    about = {"recipe": "diffusion", "preset": "smoke", "prompts": prompts, "seed": 3}
    pixels = pack(snapshot.train, SIDE, cache, "gallery")
    Neighbours.fit(pixels, [row.path.name for row in snapshot.train]).save(folder)
    write_json(folder / "config.json", {**about, "network": network, "clip": {"identity": "x"}})
    return folder
