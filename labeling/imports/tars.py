"""A tar of pictures, compressed or not. Nothing is ever unpacked to disk."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from labeling.decoding import ImageRejected
from labeling.imports.members import (
    Member,
    Rejection,
    SourceError,
    cut,
    guarded,
    is_ignored,
    path_problem,
    refused,
)

DAMAGED = (
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RecursionError,  # of a header that follows a header, and so on
)
BROKEN = "damaged inside the archive"
# A compressed tar can only be stepped through: beyond a member of this size, or so much that is
# passed over, the rest is not worth the time that unpacking it would take.
STEP_MAX = 8 * 2**30
PASSED_OVER_MAX = 1_000_000  # members
HEADER_MAX = 256 * 1024  # bytes of a member's long name and of what else is said of it


class _Info(tarfile.TarInfo):
    """A member whose headers are bounded: `tarfile` reads them into memory, whatever their size.

    Sparse files are refused, whose maps are headers without an end.
    """

    def _proc_member(self, archive: "_Archive") -> Self:
        is_header = self.type in _HEADERS
        archive.shared_headers += self.size if self.type == tarfile.XGLTYPE else 0
        if is_header and max(self.size, archive.shared_headers) > HEADER_MAX:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError("a sparse file")

    def _block(self, count: int) -> int:
        if count < 0:  # which would lead back, without end
            raise tarfile.ReadError("a size below zero")
        return super()._block(count)  # type: ignore[misc, no-any-return]


class _Archive(tarfile.TarFile):
    """A tar of such members."""

    tarinfo = _Info
    shared_headers = 0  # bytes of those that hold of all members that follow


_HEADERS = {
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
}


def is_tar(path: Path) -> bool:
    """Return whether a file is a tar, compressed or not. Raises OSError where it cannot be read."""
    try:
        _open(path).close()
    except OSError as error:
        if error.errno is not None:
            raise
        return False  # as gzip says that it is damaged
    except DAMAGED:
        return False
    return True


def members(path: Path) -> Iterator[Member | Rejection]:
    """Yield the members in the archive's order; read each before the next. Raises `SourceError`."""
    try:
        archive = _open(path)
    except DAMAGED as error:
        raise SourceError(f"{path} is cut off or damaged: pack it again.") from error
    size = count = 0  # of what is passed over
    with archive:
        try:
            while info := archive.next():
                archive.members = []  # type: ignore[attr-defined]  # or a million members would be kept in memory
                member = _member(archive, info)
                if member is not None:
                    yield member
                if not isinstance(member, Member):
                    size, count = size + info.size, count + 1
                if max(info.size, size) > STEP_MAX or count > PASSED_OVER_MAX:
                    yield Rejection(cut(info.name), "so large that what follows it was not read")
                    return
        except DAMAGED:
            yield Rejection(
                path.name, "the archive is cut off or damaged: what follows was not read"
            )


def _open(path: Path) -> _Archive:
    return _Archive.open(path, "r:*")


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Member | Rejection | None:
    """Return a member, why it is refused, or None for what is passed over."""
    name = info.name.removeprefix("./")
    if info.isdir() or is_ignored(name):
        return None
    if reason := path_problem(name):
        return Rejection(cut(name), reason)
    if info.issym() or info.islnk():
        return Rejection(name, "a link")
    if not info.isreg():
        return Rejection(name, "not a regular file")
    return Member(name, info.size, partial(_open_member, archive, info))


def _open_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    try:
        file = archive.extractfile(info)
    except DAMAGED as error:
        raise ImageRejected(BROKEN) from error
    if file is None:
        raise ImageRejected("not a regular file")
    return guarded(
        file,
        faults=DAMAGED,
        reason=refused(BROKEN),
        shortest=info.size,
        cut_off="cut off inside the archive",
    )
