"""The folder of a snapshot: its format, written once and read with every file's SHA-256.

It is a Hugging Face imagefolder: `train/` and `test/`, each with images and a `metadata.jsonl`,
beside a `manifest.json` that names every other file with its SHA-256.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labeling import json_lines

FORMAT = 1
SPLITS = "train", "test"
MANIFEST, METADATA = "manifest.json", "metadata.jsonl"
LEADING = 100  # rows from which `datasets` infers every column's type, at least
# What shows a column's type where those rows have empty lists. Readers pass it over.
PLACEHOLDERS: dict[str, list[Any]] = {
    "tags": [""],
    "in_part": [""],
    "captions": [{"text": "", "confidence": 0.0, "source": ""}],
}

Row = dict[str, Any]
Rows = Mapping[str, Sequence[Row]]  # by split


class SnapshotError(ValueError):
    """A snapshot cannot be frozen or read; the message says why and what to do."""


def write_metadata(folder: Path, rows: Rows) -> dict[str, str]:
    """Write each split's rows; return the SHA-256 of each file written, by its name."""
    digests = {}
    filled = [column for column in PLACEHOLDERS if any(row[column] for row in _all(rows))]
    for split in SPLITS:
        if rows[split]:
            data = json_lines.dumps(_typed(rows[split], filled))
            (folder / split).mkdir(parents=True)
            (folder / split / METADATA).write_bytes(data)
            digests[f"{split}/{METADATA}"] = digest(data)
    return digests


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, and wait until it is on the disk."""
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **manifest}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a snapshot folder. Raises SnapshotError where there is none."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = manifest["format"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"{folder} is not a snapshot: no readable {MANIFEST}.") from error
    if version != FORMAT:
        raise SnapshotError(f"{folder} has format {version}, not {FORMAT}.")
    return manifest


def read_rows(folder: Path, split: str) -> Iterator[Row]:
    """Yield the rows of one split, in the order of their file names."""
    path = folder / split / METADATA
    if path.exists():
        for row in json_lines.read(path):
            empty: Row = {
                name: [] for name, value in PLACEHOLDERS.items() if row.get(name) == value
            }
            yield {**row, **empty}


def verify(
    folder: Path, *, on_progress: Callable[[float], None] = lambda share: None
) -> dict[str, Any]:
    """Read every file again and return the manifest.

    Raises SnapshotError naming the first file that is not as it was frozen. `on_progress` is
    called with the share of files read, 0 to 1.
    """
    manifest = read_manifest(folder)
    for number, (name, expected) in enumerate(manifest["files"].items(), start=1):
        path = folder / name
        if not path.is_file():
            raise SnapshotError(f"{folder} lacks {name}: freeze a new snapshot.")
        if digest(path.read_bytes()) != expected:
            raise SnapshotError(f"{path} was changed after freezing: freeze a new snapshot.")
        on_progress(number / len(manifest["files"]))
    return manifest


def digest_of_files(digests: Mapping[str, str]) -> str:
    """Return the SHA-256 of a snapshot: of its files' digests, in the format of `sha256sum`."""
    return digest("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode())


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _typed(rows: Sequence[Row], columns: Sequence[str]) -> Sequence[Row]:
    """Return the rows with the type of each column shown by the first ones.

    `datasets` refuses splits whose columns have different types, and an empty list has none.
    """
    first = dict(rows[0])
    for column in columns:
        if not any(row[column] for row in rows[:LEADING]):
            first[column] = PLACEHOLDERS[column]
    return [first, *rows[1:]]


def _all(rows: Rows) -> Iterator[Row]:
    for split in SPLITS:
        yield from rows[split]
