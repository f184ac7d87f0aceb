"""The folder of a snapshot: its format, written once and read with every file's SHA-256.

It is a Hugging Face imagefolder: `train/` and `test/`, each with images and a `metadata.jsonl`,
with a data card in `README.md`, beside a `manifest.json` that names every other file with its
SHA-256. One hash, `sha256` in the manifest, stands for all of it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from labeling import json_lines

FORMAT = 3
SPLITS = "train", "test"
MANIFEST, METADATA, CARD = "manifest.json", "metadata.jsonl", "README.md"
NOT_HASHED = frozenset({"created", "files", "sha256"})  # members of the manifest; see `digest_of`
LEADING = 100  # rows from which `datasets` infers every column's type, at least
# What shows a column's type where those rows have empty lists. Readers pass it over.
PLACEHOLDERS: dict[str, list[Any]] = {
    "tags": [""],
    "concepts": [{"name": "", "probability": 0.0, "answers": 0}],
    "in_part": [""],
    "captions": [{"text": "", "confidence": 0.0, "source": "", "provenance": -1}],
    "boxes": [
        {
            **dict.fromkeys(("left", "top", "width", "height"), 0),
            **{"label": "", "probability": 0.0, "answers": 0, "provenance": -1},
        }
    ],
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
        return {f"{split}/{METADATA}": draft.finish() for split, draft in drafts.items()}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest with its hash, and wait until it is on the disk."""
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
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
        yield from map(_without_placeholders, json_lines.read(path))


def parse_row(line: bytes) -> Row:
    """Return the row of a line of metadata."""
    return _without_placeholders(json.loads(line))


def file_name_of(line: bytes) -> str:
    """Return the file name in a line of metadata, which it begins with, without parsing the rest.

    Raises SnapshotError for a line that begins otherwise.
    """
    if not line.startswith(_FIRST) or (end := line.find(b'"', len(_FIRST))) < 0:
        raise SnapshotError("A row of a snapshot does not begin with its file name.")
    return line[len(_FIRST) : end].decode()


_FIRST = b'{"file_name": "'
_FILES = ' "files": {\n'  # the last member of a manifest


def _without_placeholders(row: Row) -> Row:
    empty: Row = {name: [] for name, value in PLACEHOLDERS.items() if row.get(name) == value}
    return {**row, **empty}


def read_header(folder: Path) -> dict[str, Any]:
    """Return the manifest without `files`, which come last. Raises SnapshotError without one."""
    lines = []
    try:
        with (folder / MANIFEST).open(encoding="utf-8") as file:
            for line in file:
                if line == _FILES:
                    break
                lines.append(line)
            header: dict[str, Any] = json.loads("".join(lines).rstrip().rstrip(",") + "}")
        return header
    except (OSError, ValueError):
        manifest = read_manifest(folder)
        manifest.pop("files", None)
        return manifest


_FILES = ' "files": {\n'  # the line of a manifest after which each file has a line


def read_digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and SHA-256 of each file that the manifest lists, a line of it at a time.

    They are sorted by name. Raises SnapshotError for a manifest that cannot be read.
    """
    try:
        with (folder / MANIFEST).open(encoding="utf-8") as file:
            if any(line == _FILES for line in file):
                for line in file:
                    if not line.startswith("  "):
                        return
                    name, _, file_digest = line.strip().rstrip(",").partition(": ")
                    yield json.loads(name) if "\\" in name else name[1:-1], file_digest[1:-1]
                return
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{folder} is not a snapshot: no readable {MANIFEST}.") from error
    yield from sorted(read_manifest(folder)["files"].items())


def read_checked(folder: Path, names: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """Return the manifest once its hash is right, of its files those of these names alone.

    A line is held at a time: there may be a million files, which are not read. Raises SnapshotError
    where the manifest, or the list of files in it, was changed.
    """
    header = read_header(folder)
    if header.get("format") != FORMAT:
        return read_manifest(folder)  # which says what is wrong
    files: dict[str, str] = {}

    def listed() -> Iterator[tuple[str, str]]:
        for name, file_digest in read_digests(folder):
            if name in names:
                files[name] = file_digest
            yield name, file_digest

    if _digest_of(header, listed()) != header.get("sha256"):
        raise SnapshotError(
            f"{folder / MANIFEST} was changed after freezing: freeze a new snapshot."
        )
    return {**header, "files": files}


def read_card(folder: Path) -> str:
    """Return the data card of a snapshot; empty where there is none."""
    try:
        return (folder / CARD).read_text(encoding="utf-8")
    except OSError:
        return ""


def labels(row: Row) -> dict[str, tuple[str, float]]:
    """Return a row's label of each concept, "yes", "in part" or "no", with its confidence."""
    in_part = set(row["in_part"])
    return {
        concept["name"]: (
            _label(concept["probability"], concept["name"] in in_part),
            max(concept["probability"], 1 - concept["probability"]),
        )
        for concept in row["concepts"]
    }


def _label(probability: float, in_part: bool) -> str:
    if probability < 0.5:
        return "no"
    return "in part" if in_part else "yes"


def verify(
    folder: Path, *, on_progress: Callable[[float], None] = lambda share: None
) -> dict[str, Any]:
    """Read every file again and return the manifest.

    Raises SnapshotError naming the first file that is not as it was frozen. `on_progress` is
    called with the share of files read, 0 to 1.
    """
    manifest = read_manifest(folder)
    if digest_of(manifest) != manifest.get("sha256"):
        raise SnapshotError(
            f"{folder / MANIFEST} was changed after freezing: freeze a new snapshot."
        )
    for number, (name, expected) in enumerate(manifest["files"].items(), start=1):
        path = folder / name
        if not path.is_file():
            raise SnapshotError(f"{folder} lacks {name}: freeze a new snapshot.")
        if digest(path.read_bytes()) != expected:
            raise SnapshotError(f"{path} was changed after freezing: freeze a new snapshot.")
        on_progress(number / len(manifest["files"]))
    return manifest


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a snapshot: of what its manifest says, and of all its files' digests.

    It is that of the manifest as a line of JSON (sorted keys, no spaces, ASCII) without the members
    `NOT_HASHED`, and then of the lines that `sha256sum` prints of the files, sorted by name. When
    it was frozen is no part of it: the same labels, made from the same, have the same hash.
    """
    return _digest_of(manifest, sorted(manifest["files"].items()))


def _digest_of(header: Mapping[str, Any], files: Iterable[tuple[str, str]]) -> str:
    """Return the same, of the name and SHA-256 of each file, sorted by name."""
    said = {name: value for name, value in header.items() if name not in NOT_HASHED}
    hashed = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
    hashed.update(b"\n")
    for name, file_digest in files:
        hashed.update(f"{file_digest}  {name}\n".encode())
    return hashed.hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class _Metadata:
    """The metadata of one split while it is written: the first row waits until all have come.

    `datasets` refuses splits whose columns have different types, and an empty list has none; so
    the first row shows the type of each column that the first rows do not fill. So all snapshots
    have the same columns, whatever is in them.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._path = folder / METADATA
        self._rest = (folder / f".rest-{METADATA}").open("w+b")
        self._first: Row = {}
        self._typed: set[str] = set()  # columns that the first LEADING rows fill
        self._count = 0

    def add(self, row: Row) -> None:
        self._count += 1
        if self._count <= LEADING:
            self._typed |= {column for column in PLACEHOLDERS if row[column]}
        if self._count == 1:
            self._first = row
        else:
            self._rest.write(json_lines.dumps([row]))

    def finish(self) -> str:
        """Write the file, all of its columns typed; return its SHA-256."""
        untyped = {column: PLACEHOLDERS[column] for column in PLACEHOLDERS.keys() - self._typed}
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
