"""The folder of a snapshot: its format, written once and read with every file's SHA-256.

It is a Hugging Face imagefolder: `train/` and `test/`, each with images and a `metadata.jsonl`,
beside a `manifest.json` that names every other file with its SHA-256.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from labeling import json_lines

FORMAT = 2
SPLITS = "train", "test"
MANIFEST, METADATA = "manifest.json", "metadata.jsonl"
LEADING = 100  # rows from which `datasets` infers every column's type, at least
# What shows a column's type where those rows have empty lists. Readers pass it over.
PLACEHOLDERS: dict[str, list[Any]] = {
    "tags": [""],
    "concepts": [{"name": "", "probability": 0.0, "answers": 0}],
    "in_part": [""],
    "captions": [{"text": "", "confidence": 0.0, "source": "", "provenance": -1}],
}

Row = dict[str, Any]


class SnapshotError(ValueError):
    """A snapshot cannot be frozen or read; the message says why and what to do."""


def write_metadata(folder: Path, rows: Iterable[tuple[str, Row]]) -> dict[str, str]:
    """Write rows with their splits as they come; return the SHA-256 of each file, by its name.

    The rows of a split come in the order of their file names; one row is held at a time.
    """
    drafts: dict[str, _Metadata] = {}
    with ExitStack() as files:
        for split, row in rows:
            if split not in drafts:
                drafts[split] = files.enter_context(closing(_Metadata(folder / split)))
            drafts[split].add(row)
        filled = {column for draft in drafts.values() for column in draft.filled}
        return {f"{split}/{METADATA}": draft.finish(filled) for split, draft in drafts.items()}


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


class _Metadata:
    """The metadata of one split while it is written: the first row waits until all have come.

    `datasets` refuses splits whose columns have different types, and an empty list has none; so
    the first row shows the type of each column that any split fills and its first rows do not.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._path = folder / METADATA
        self._rest = (folder / f".rest-{METADATA}").open("w+b")
        self._first: Row = {}
        self._typed: set[str] = set()  # columns that the first LEADING rows fill
        self._count = 0
        self.filled: set[str] = set()  # columns that any row fills

    def add(self, row: Row) -> None:
        self._count += 1
        self.filled |= {column for column in PLACEHOLDERS if row[column]}
        if self._count <= LEADING:
            self._typed |= self.filled
        if self._count == 1:
            self._first = row
        else:
            self._rest.write(json_lines.dumps([row]))

    def finish(self, filled: set[str]) -> str:
        """Write the file, its columns typed as far as any split fills them; return its SHA-256."""
        untyped = {column: PLACEHOLDERS[column] for column in filled - self._typed}
        first = {column: untyped.get(column, value) for column, value in self._first.items()}
        self._rest.seek(0)
        with self._path.open("w+b") as file:
            file.write(json_lines.dumps([first]))
            shutil.copyfileobj(self._rest, file)
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()

    def close(self) -> None:
        """Remove the draft of the rest."""
        self._rest.close()
        Path(self._rest.name).unlink(missing_ok=True)
