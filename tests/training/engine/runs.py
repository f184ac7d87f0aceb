"""A tiny snapshot and runs on it, for the tests of training."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.pictures import encoded

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 60), "blue": (40, 60, 220), "black": (9, 9, 9)}
ROOT = Path(__file__).parents[3]


def square(colour: str, left: int, top: int, side: int = 16) -> bytes:
    """Return a PNG of a coloured square on white."""
    pixels = np.full((32, 32, 3), 255, np.uint8)
    pixels[top : top + side, left : left + side] = COLOURS[colour]
    return encoded(Image.fromarray(pixels), "PNG")


def write_snapshot(folder: Path) -> Path:
    """Write squares in four colours: captioned, tagged and judged; some of them not at all."""
    rows: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for split in rows:
        (folder / split).mkdir(parents=True)
    for number, (left, top) in enumerate((x, y) for x in range(2, 16, 3) for y in range(2, 16, 3)):
        for colour in COLOURS:
            split = "test" if number % 5 == 4 else "train"
            rows[split].append(_row(folder / split, square(colour, left, top), colour, number))
    for split, lines in rows.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / split / "metadata.jsonl").write_text(text)
    manifest = {"format": 3, "project": "squares", "concepts": ["dark", *COLOURS]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _row(folder: Path, content: bytes, colour: str, number: int) -> dict[str, Any]:
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.png"
    (folder / name).write_bytes(content)
    judged = number % 6 != 1  # every sixth has no text, and concepts that nobody judged
    caption = f"a {colour} square"
    return {
        "file_name": name,
        "text": caption if judged else "",
        "tags": [colour, "square"] if judged else [],
        "concepts": [
            {"name": known, "probability": (0.97 if known == colour else 0.02) if judged else 0.2}
            for known in COLOURS
        ],
        "captions": [{"text": caption, "confidence": 0.9, "source": "import"}] if judged else [],
        "n_answers": 3,
        "generated": False,
        "prompt": "",
        "width": 32,
        "height": 32,
    }


OTHER_HALF = {"red": "blue", "green": "black", "blue": "red", "black": "green"}


def write_pairs(folder: Path) -> Path:
    """Write pairs of squares at the same place, the second in the colour of `OTHER_HALF`."""
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        rows = [
            _pair_row(folder / split, colour, left, top)
            for number, left in enumerate(range(2, 16, 3))
            for top in range(2, 16, 3)
            for colour in COLOURS
            if (number == 3) == (split == "test")
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / split / "metadata.jsonl").write_text(lines)
    (folder / "manifest.json").write_text(json.dumps({"format": 3, "project": "pairs"}))
    return folder


def _pair_row(folder: Path, colour: str, left: int, top: int) -> dict[str, Any]:
    """Write both halves into one picture, as a snapshot has them; return its row."""
    name = f"{colour}-{left:02}-{top:02}.png"
    both = Image.new("RGB", (32 + 2 + 32, 32), "white")
    for place, half in ((0, colour), (34, OTHER_HALF[colour])):
        both.paste(Image.open(io.BytesIO(square(half, left, top))), (place, 0))
    (folder / name).write_bytes(encoded(both, "PNG"))
    caption = {"text": f"a {colour} square", "confidence": 0.9}
    row = {"file_name": name, "captions": [caption], "tags": [], "pair": 0.95}
    return {**row, "concepts": [{"name": "belong together", "probability": 0.95}]}


def write_run(folder: Path, snapshot: Path, cache: Path, /, **changes: Any) -> Path:
    """Write a run folder with a config.json; keywords replace its values."""
    config = {
        "recipe": "diffusion",
        "preset": "smoke",
        "snapshot": str(snapshot),
        "seed": 0,
        "options": {},
        "init": None,
        "clip_model": None,
        "clip_pretrained": None,
        "cache": str(cache),
        "time_limit": None,
        "threads": 1,
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


LONG = {"steps": 400, "checkpoint_steps": 50, "grid_steps": 200, "one_call_steps": 10}
