"""Read back what was written: every file's hash, before an export is called done."""

import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from labeling.exports.errors import ExportError
from labeling.exports.sinks import JOURNAL, MANIFEST

OnFile = Callable[[int], None]  # called with the number of files that were read


class Stored(Protocol):
    """The files of an export, wherever they lie."""

    def names(self) -> Iterator[str]:
        """Yield the names of all files, the manifest's among them."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open one of them."""
        ...


class StoredFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> Iterator[str]:
        for path in self._folder.rglob("*"):
            if path.is_file() and path.name != JOURNAL:
                yield path.relative_to(self._folder).as_posix()

    def open(self, name: str) -> IO[bytes]:
        return (self._folder / name).open("rb")


class StoredZip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)

    def names(self) -> Iterator[str]:
        yield from self._zip.namelist()

    def open(self, name: str) -> IO[bytes]:
        return self._zip.open(name)

    def close(self) -> None:
        self._zip.close()


class StoredTar:
    """A tar of any number of members, of which the places alone are kept in memory."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "r:")  # noqa: SIM115  (it is read to the end of the check)
        self._places: dict[str, int] = {}  # where each member's header begins
        while (info := self._next()) is not None:
            self._places[info.name] = info.offset

    def names(self) -> Iterator[str]:
        yield from self._places

    def open(self, name: str) -> IO[bytes]:
        place = self._places[name]
        assert self._tar.fileobj is not None
        self._tar.fileobj.seek(place)
        self._tar.offset = place
        info = self._next()
        file = self._tar.extractfile(info) if info else None
        assert file is not None
        return file

    def close(self) -> None:
        self._tar.close()

    def _next(self) -> tarfile.TarInfo | None:
        """Return the member at the tar's offset, and let the tar forget it."""
        info = self._tar.next()
        self._tar.members.clear()  # type: ignore[attr-defined]
        return info


def check(stored: Stored, on_file: OnFile = lambda number: None) -> int:
    """Hash every file again and compare it with the manifest; return how many there are.

    Raises ExportError naming the first that differs, lacks or is too much.
    """
    number = 0
    for number, (name, expected) in enumerate(listed(stored), start=1):
        try:
            with stored.open(name) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise ExportError(f"{name} was written and cannot be read again: {error}.") from error
        if digest != expected:
            raise ExportError(f"{name} is not what was written: is the disk sound? Try again.")
        on_file(number)
    there = sum(1 for name in stored.names() if name != MANIFEST)
    if there != number:
        raise ExportError(f"It holds {there} files, not the {number} that were written: try again.")
    return number


def listed(stored: Stored) -> Iterator[tuple[str, str]]:
    """Yield the name and SHA-256 of each file that the manifest lists."""
    with stored.open(MANIFEST) as file:
        for line in file:
            digest, _, name = line.decode().rstrip("\n").partition("  ")
            yield name, digest
