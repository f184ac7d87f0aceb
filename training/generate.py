"""Pictures from a finished model, each with the training pictures that it is nearest to."""

import json
from pathlib import Path
from typing import Any

from training.data import png
from training.files import TrainingError, write_bytes
from training.latents import Neighbours
from training.recipes import load_drawer

NEAREST = 3  # training pictures named with each sample


def sample(
    folder: Path,
    prompts: Path,
    out: Path,
    *,
    count: int = 1,
    seed: int = 0,
    guidance: float | None = None,
    steps: int | None = None,
) -> int:
    """Draw ``count`` pictures a prompt into ``out``; the number drawn.

    The n-th picture of a prompt has the seed ``seed + n``, so that it can be drawn again alone.
    """
    asked = [prompt for prompt in read_prompts(prompts) for _ in range(count)]
    model = load_drawer(folder)
    neighbours = Neighbours.load(folder)
    lines: list[dict[str, Any]] = []
    for start in range(0, len(asked), 64):
        part = asked[start : start + 64]
        seeds = [seed + (start + i) % count for i in range(len(part))]
        pictures = model.draw(part, seeds, guidance=guidance, steps=steps)
        distances, indices = neighbours.nearest(pictures, NEAREST)
        for i, pixels in enumerate(pictures):
            name = f"{(start + i) // count:04}-{(start + i) % count:02}.png"
            write_bytes(out / name, png(pixels))
            near = zip(indices[i].tolist(), distances[i].tolist(), strict=True)
            lines.append(
                {
                    "file": name,
                    "prompt": part[i],
                    "seed": seeds[i],
                    "guidance": model.guidance if guidance is None else guidance,
                    "nearest": [
                        {"file_name": neighbours.names[n], "distance": round(d, 4)} for n, d in near
                    ],
                }
            )
    write_bytes(out / "samples.jsonl", "".join(json.dumps(x) + "\n" for x in lines).encode())
    return len(lines)


def read_prompts(path: Path) -> list[str]:
    """A prompt a line; an empty line is "no prompt"."""
    try:
        prompts = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"The prompts {path} cannot be read: {error}.") from None
    if not prompts:
        raise TrainingError(f"{path} holds no line: write a prompt a line, or an empty line.")
    return prompts
