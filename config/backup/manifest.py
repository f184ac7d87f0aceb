"""What one backup holds."""

import gzip
import json
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.backup.errors import BackupError
from config.backup.places import Kept, Place
from labeling.stored_folders.indexes import check_name

FORMAT = 1
FOLDER = "backups"
LONGEST_LINE = 16 * 1024  # letters of the list of files
SHA256 = re.compile("[0-9a-f]{64}")
WRONG = AttributeError, KeyError, RecursionError, TypeError, ValueError  # of JSON of another shape
STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class Table:
    """A table's rows, as COPY writes them, compressed."""

    name: str
    columns: list[str]
    rows: int
    sha256: str
    size: int


@dataclass(frozen=True)
class StoredFile:
    """A file of the storage; its stamp changes when it is written again."""

    name: str
    sha256: str
    size: int
    stamp: str


@dataclass(frozen=True)
class Manifest:
    """A backup: which contents it consists of, and what made it."""

    made_at: str
    version: str  # of Tessera
    postgresql: str
    key: str  # which SECRET_KEY it was made under, and nothing from which that follows
    migrations: list[tuple[str, str]]  # (app, name), all that were applied
    tables: list[Table]
    sequences: dict[str, int | None]  # the last value that each gave out
    files: Kept  # the content that lists the files, of which there are
    file_count: int
    format: int = FORMAT

    @property
    def name(self) -> str:
        """What it is called in its place."""
        return datetime.fromisoformat(self.made_at).strftime(STAMP)


def now() -> str:
    """Return the time as manifests have it."""
    return datetime.now(UTC).isoformat()


def names(place: Place) -> list[str]:
    """Return the names of the backups in a place, the oldest first."""
    pattern = re.compile(rf"{FOLDER}/(\w+)\.json")
    return [match[1] for each in place.names(FOLDER) if (match := pattern.fullmatch(each))]


def write(place: Place, manifest: Manifest) -> None:
    """Write a manifest, by which the backup is there."""
    with place.draft() as draft:
        draft.write_text(json.dumps(asdict(manifest), indent=1))
        place.put(draft, f"{FOLDER}/{manifest.name}.json")


def read(place: Place, name: str = "") -> Manifest:
    """Return the manifest of that name, the newest without one. Raises BackupError."""
    found = names(place)
    if not found:
        raise BackupError(f"{place} holds no backup: name the folder or bucket of `backup`.")
    if name and name not in found:
        raise BackupError(f"{place} holds no backup {name}: it has {', '.join(found)}.")
    name = name or found[-1]
    with place.open(f"{FOLDER}/{name}.json") as file:
        try:
            return _parsed(json.loads(file.read()))
        except WRONG as error:
            raise BackupError(f"The manifest of backup {name} cannot be read: {error}") from error


def _parsed(fields: dict[str, Any]) -> Manifest:
    if fields["format"] != FORMAT:
        raise BackupError(
            f"This backup has format {fields['format']}, which this version does not read:"
            f" install Tessera {fields['version']} or newer."
        )
    found = Manifest(
        **fields
        | {
            "migrations": [(app, name) for app, name in fields["migrations"]],
            "tables": [Table(**table) for table in fields["tables"]],
            "files": Kept(*fields["files"]),
        }
    )
    datetime.fromisoformat(found.made_at)
    _check_content(found.files.sha256, found.files.size)
    for table in found.tables:
        _check_content(table.sha256, table.size)
    return found


def _check_content(sha256: str, size: int) -> None:
    """Raise ValueError or TypeError for a content whose name may lead elsewhere."""
    if not SHA256.fullmatch(sha256) or size < 0:
        raise ValueError(f"{sha256!r} is no SHA-256")


def keep_files(place: Place, files: dict[str, StoredFile]) -> Kept:
    """Keep the list of files as a content of its own: there may be a million."""
    with tempfile.TemporaryFile() as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as out:
            for _, file in sorted(files.items()):
                out.write(json.dumps([file.name, file.sha256, file.size, file.stamp]).encode())
                out.write(b"\n")
        raw.seek(0)
        return place.keep(raw)


def read_files(place: Place, manifest: Manifest) -> Iterator[StoredFile]:
    """Yield the files of a backup. Raises BackupError."""
    with place.fetched(manifest.files) as path, gzip.open(path, "rt", encoding="utf-8") as lines:
        try:
            while line := lines.readline(LONGEST_LINE):
                file = StoredFile(*json.loads(line))
                _check_content(file.sha256, file.size)
                yield replace(file, name=check_name(file.name))
        except (*WRONG, EOFError, gzip.BadGzipFile, zlib.error) as error:
            reason = f"The list of files of backup {manifest.name} cannot be read: {error}"
            raise BackupError(reason) from error


def contents_of(place: Place, manifest: Manifest) -> Iterator[Kept]:
    """Yield all contents that a backup needs, some of them perhaps twice."""
    yield manifest.files
    for table in manifest.tables:
        yield Kept(table.sha256, table.size)
    for file in read_files(place, manifest):
        yield Kept(file.sha256, file.size)


def unpacked(path: Path) -> gzip.GzipFile:
    """Open a content that was compressed."""
    return gzip.GzipFile(path, "rb")
