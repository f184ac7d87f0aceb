"""The members of a source: files that can be read, and rejections with a reason."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from labeling.decoding import ImageRejected, read, too_large

ARCHIVES = (
    ".zip", ".tar", ".tgz", ".tbz", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".cbz",
)  # fmt: skip
DAMAGED_ARCHIVE = "is cut off or damaged: pack it again"
NESTED = "an archive within an archive"
OTHER_ARCHIVE = "an archive of a kind that is not read: pack a zip or a tar"
OF_FILE_MANAGERS = {"thumbs.db", "desktop.ini", "__macosx"}
PATH_MAX = 1_000  # characters of a path inside an archive
INFLATION_MAX = 100  # times the size of an archive: pictures are compressed already …
INFLATION_FREE = 256 * 2**20  # … beyond so many bytes, which may unpack from anything
TOO_LONG = f"its path is longer than {PATH_MAX:,} characters"
SHOWN = 400  # … and of a longer one, where it is named
DRIVE = re.compile(r"[A-Za-z]:")


class SourceError(ValueError):
    """The source as a whole cannot be imported; the message says what to do."""


class BadArchive(SourceError):
    """An archive cannot be imported, for a reason that goes on after its name."""

    def __init__(self, archive: Path, reason: str) -> None:
        super().__init__(f"{archive} {reason}.")
        self.reason = reason


class TooManyMembers(SourceError):
    """An archive holds more files than may be imported at once."""


@dataclass(frozen=True)
class Member:
    """A file of the source. `open()` gives its bytes, whose faults raise `ImageRejected`."""

    path: str
    size: int
    open: Callable[[], BinaryIO]
    url: str = ""  # that it was fetched from

    def read(self, limit: int) -> bytes:
        """Return its bytes, of which there may be `limit`. Raises `ImageRejected`."""
        with self.open() as file:
            return read(file, bytes_max=limit)


class _Guarded(io.RawIOBase):
    """A file whose faults raise `ImageRejected`."""

    def __init__(
        self,
        file: IO[bytes],
        faults: tuple[type[Exception], ...],
        reason: Callable[[Exception], str],
        shortest: int,
        cut_off: str,
    ) -> None:
        self._file, self._faults, self._reason = file, faults, reason
        self._missing, self._cut_off = shortest, cut_off

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        try:
            data = self._file.read(len(buffer))
        except self._faults as error:
            raise ImageRejected(self._reason(error)) from error
        if not data and self._missing > 0:
            raise ImageRejected(self._cut_off)
        self._missing -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def seekable(self) -> bool:
        """Whether it is a file of this machine: in an archive, going back may take long."""
        return type(self._file) is io.BufferedReader

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._missing = 0  # by what is read from now on, nobody can tell that it is cut off
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def guarded(
    file: IO[bytes],
    *,
    faults: tuple[type[Exception], ...],
    reason: Callable[[Exception], str],
    shortest: int = 0,
    cut_off: str = "",
) -> BinaryIO:
    """Return a file to read in pieces: faults, and an end before `shortest` bytes, are refused."""
    raw = _Guarded(file, faults, reason, shortest, cut_off)
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, raw)))


def refused(reason: str) -> Callable[[Exception], str]:
    """Return a function that gives one reason for whatever was wrong."""
    return lambda error: reason


def unreadable(error: Exception) -> str:
    """Return why a file of this machine cannot be read."""
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


@dataclass(frozen=True)
class Rejection:
    """A member that is not imported, and why."""

    path: str
    reason: str
    cut: bool = False  # whether what follows it, nobody knows what, was not read


def is_ignored(path: str) -> bool:
    """Whether it is hidden, or left by a file manager: such files are passed over in silence."""
    parts = path.replace("\\", "/").split("/")
    return any(
        part.lower() in OF_FILE_MANAGERS or (part.startswith(".") and part not in {".", ".."})
        for part in parts
    )


def path_problem(path: str, *, inside: str = "archive") -> str | None:
    """Return why a member must not be imported because of its path, or None."""
    if "\0" in path:
        return "a NUL byte in its path"
    if len(path) > PATH_MAX:
        return TOO_LONG
    plain = path.replace("\\", "/")
    if plain.startswith("/") or DRIVE.match(plain) or ".." in plain.split("/"):
        return f"its path leaves the {inside}"
    if plain.lower().endswith(ARCHIVES):
        return NESTED if inside == "archive" else OTHER_ARCHIVE
    return None


def cut(path: str) -> str:
    """Return a path as it is named where it is refused: a long one without its end."""
    return path if len(path) <= PATH_MAX else f"{path[:SHOWN]}…"


def size_problem(size: int, limit: int) -> str | None:
    """Return why a file of this size, in bytes, must not be read, or None."""
    return too_large(limit) if size > limit else None


def check_inflation(path: Path, *, packed: int, declared: int) -> None:
    """Refuse an archive that would unpack to more than any pictures do. Raises `BadArchive`.

    packed, declared: bytes of the archive, and of its members by what it says of them.
    """
    if declared > max(INFLATION_FREE, INFLATION_MAX * packed):
        raise BadArchive(
            path,
            f"would unpack from {packed:,} bytes to {declared:,}, more than {INFLATION_MAX} times "
            "as many: import the files themselves",
        )
