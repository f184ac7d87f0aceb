"""Images of a model's snapshot that are offered to be drawn on: up to eight, held-out ones if any.

Those of a model of pairs are first halves: the left squares of its pairs' pictures.
"""

import io
import mimetypes
from functools import lru_cache
from itertools import islice
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

from PIL import Image

from labeling import json_lines, marks, snapshots, stored_folders
from labeling.stored_folders import FolderMissing, StorageAway
from training import generators
from training.models import Model

COUNT_MAX = 8
LINES_MAX = 2_000  # of a split's metadata that are looked through for pairs
SUFFIXES = {".png", ".jpg", ".webp"}


class Example(NamedTuple):
    """The file of an image."""

    data: bytes
    content_type: str


def names(model: Model) -> tuple[str, ...]:
    """Return the images' names in the folder of the model's snapshot.

    Those that were removed from the project since are left out, and all while the storage is away.
    """
    snapshot = model.run.snapshot
    if snapshot is None or not snapshot.folder:
        return ()
    try:
        files = _names(snapshot.folder, pairs=generators.translates(model.recipe))
    except (FolderMissing, StorageAway):
        return ()
    removed = snapshots.removed_files(snapshot, (PurePosixPath(name).name for name in files))
    return tuple(name for name in files if PurePosixPath(name).name not in removed)


def read(model: Model, number: int) -> Example | None:
    """Return an image by its number, from 1; None where there is none.

    Raises FolderMissing, StorageAway, or OSError where it is no image.
    """
    files = names(model)
    if not 1 <= number <= len(files):
        return None
    assert model.run.snapshot
    name = files[number - 1]
    with stored_folders.open(model.run.snapshot.folder, name) as file:
        if generators.translates(model.recipe):
            return Example(_first_half(file), "image/png")
        content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Example(file.read(), content_type)


def _first_half(picture: BinaryIO) -> bytes:
    """Return the left square of a pair's picture as PNG, with its mark if a model drew a half."""
    file = io.BytesIO()
    with Image.open(picture) as both:
        half = both.crop((0, 0, both.height, both.height))
        half.save(file, "PNG", **marks.saving("PNG", marks.of_image(both)))
    return file.getvalue()


@lru_cache(maxsize=64)  # a snapshot's folder never changes, and may hold many files
def _names(folder: str, *, pairs: bool) -> tuple[str, ...]:
    """Return names in a stored folder. Raises FolderMissing and StorageAway."""
    files = sorted(stored_folders.index(folder))
    for split in ("test", "train"):
        images = _of_pairs(folder, split) if pairs else _of_all(files, split)
        if images:
            return tuple(images[:: -(-len(images) // COUNT_MAX)])
    return ()


def _of_all(files: list[str], split: str) -> list[str]:
    paths = (PurePosixPath(name) for name in files)
    return [str(path) for path in paths if str(path.parent) == split and path.suffix in SUFFIXES]


def _of_pairs(folder: str, split: str) -> list[str]:
    metadata = f"{split}/metadata.jsonl"
    if metadata not in stored_folders.index(folder):
        return []
    path = stored_folders.fetch(folder, only=[metadata]) / metadata
    rows = islice(json_lines.read(path), LINES_MAX)
    named = (PurePosixPath(str(row.get("file_name"))).name for row in rows if row.get("pair"))
    return [f"{split}/{name}" for name in named]
