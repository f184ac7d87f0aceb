"""Images of a model's snapshot that are offered to be drawn on: up to eight, held-out ones if any.

Those of a model of pairs are first halves: the left squares of its pairs' pictures.
"""

import io
import mimetypes
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from labeling import json_lines, marks, snapshots, stored_folders
from training import generators
from training.models import Model

COUNT_MAX = 8
LINES_MAX = 2_000  # of a split's metadata that are looked through for pairs
SUFFIXES = {".png", ".jpg", ".webp"}


class Example(NamedTuple):
    """The file of an image."""

    data: bytes
    content_type: str


def paths(model: Model) -> tuple[Path, ...]:
    """Return the images' files; those that were removed from the project since are left out."""
    snapshot = model.run.snapshot
    if snapshot is None or not snapshot.folder:
        return ()
    files = _paths(stored_folders.place(snapshot.folder), pairs=generators.translates(model.recipe))
    removed = snapshots.removed_files(snapshot, (path.name for path in files))
    return tuple(path for path in files if path.name not in removed)


def read(model: Model, number: int) -> Example | None:
    """Return an image by its number, from 1; None where there is none. Raises OSError."""
    files = paths(model)
    if not 1 <= number <= len(files):
        return None
    path = files[number - 1]
    if generators.translates(model.recipe):
        return Example(_first_half(path), "image/png")
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Example(path.read_bytes(), content_type)


def _first_half(path: Path) -> bytes:
    """Return the left square of a pair's picture as PNG, with its mark if a model drew a half."""
    file = io.BytesIO()
    with Image.open(path) as both:
        half = both.crop((0, 0, both.height, both.height))
        half.save(file, "PNG", **marks.saving("PNG", marks.of_image(both)))
    return file.getvalue()


@lru_cache(maxsize=64)  # a snapshot's folder never changes, and may hold many files
def _paths(folder: str, *, pairs: bool) -> tuple[Path, ...]:
    for split in ("test", "train"):
        place = Path(folder, split)
        images = _of_pairs(place) if pairs else _of_all(place)
        if images:
            return tuple(images[:: -(-len(images) // COUNT_MAX)])
    return ()


def _of_all(place: Path) -> list[Path]:
    files = place.iterdir() if place.is_dir() else ()
    return sorted(path for path in files if path.suffix in SUFFIXES)


def _of_pairs(place: Path) -> list[Path]:
    metadata = place / "metadata.jsonl"
    rows = islice(json_lines.read(metadata), LINES_MAX) if metadata.is_file() else ()
    return [place / Path(str(row.get("file_name"))).name for row in rows if row.get("pair")]
