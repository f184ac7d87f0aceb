"""A tar of pictures, compressed or not. Nothing is ever unpacked to disk."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self

from labeling.decoding import ImageRejected
from labeling.imports import encodings
from labeling.imports.members import (
    DAMAGED_ARCHIVE,
    BadArchive,
    Member,
    Rejection,
    check_inflation,
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
EOF_HEADER: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined]
CUT = "the archive is cut off or damaged: what follows was not read"
ANOTHER_BEHIND = "more stands behind its end and was not read: give each archive its own file"
BEHIND = 2**20  # bytes behind the end that are looked at; what fills up a block is less
SPARSE = "a sparse file"
# A compressed tar can only be stepped through: beyond a member of this size, or so much that is
# passed over, the rest is not worth the time that unpacking it would take.
STEP_MAX = 8 * 2**30
PASSED_OVER_MAX = 1_000_000  # members
HEADER_MAX = 256 * 1024  # bytes of a member's long name and of what else is said of it


class _Info(tarfile.TarInfo):
    """A member whose headers are bounded: `tarfile` reads them into memory, whatever their size.

    Sparse files are refused, whose maps are headers without an end.
    """

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> Self:
        """Read the next member, and take note of the blocks of zeros that end a whole archive."""
        try:
            return super().fromtarfile(tarfile)
        except EOF_HEADER:
            tarfile.has_ended = True
            raise

    def _proc_member(self, archive: "_Archive") -> Self:
        is_header = self.type in _HEADERS
        archive.shared_headers += self.size if self.type == tarfile.XGLTYPE else 0
        if is_header and max(self.size, archive.shared_headers) > HEADER_MAX:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(SPARSE)
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError(SPARSE)

    def _block(self, count: int) -> int:
        if count < 0:  # which would lead back, without end
            raise tarfile.ReadError("a size below zero")
        return super()._block(count)  # type: ignore[misc, no-any-return]


class _Archive(tarfile.TarFile):
    """A tar of such members."""

    tarinfo = _Info
    has_ended = False  # by its end, and not because nothing or nonsense follows
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


def members(path: Path, *, encoding: str = "") -> Iterator[Member | Rejection]:
    """Yield the members in the archive's order; read each before the next. Raises `SourceError`.

    encoding: of names that are not UTF-8.
    """
    try:
        archive = _open(path)
    except DAMAGED as error:
        raise BadArchive(path, DAMAGED_ARCHIVE) from error
    declared = passed_over = count = 0  # bytes of all, and of what is passed over
    packed = path.stat().st_size
    with archive:
        while info := _next(archive):
            declared += info.size
            check_inflation(path, packed=packed, declared=declared)
            member = _member(archive, info, encoding)
            if member is not None:
                yield member
            if not isinstance(member, Member):
                passed_over, count = passed_over + info.size, count + 1
            if max(info.size, passed_over) > STEP_MAX or count > PASSED_OVER_MAX:
                reason = "so large that what follows it was not read"
                yield Rejection(cut(encodings.shown(_raw(info))), reason, cut=True)
                return
        if not archive.has_ended:
            yield Rejection(path.name, CUT, cut=True)
        elif _goes_on(archive):
            yield Rejection(path.name, ANOTHER_BEHIND, cut=True)


def _next(archive: _Archive) -> tarfile.TarInfo | None:
    """Return the next member; None at the end, whether the archive is whole or not."""
    try:
        info = archive.next()
    except DAMAGED:
        archive.has_ended = False
        return None
    archive.members = []  # type: ignore[attr-defined]  # or a million would be kept in memory
    return info


def _goes_on(archive: _Archive) -> bool:
    """Whether more than zeros follows the end of an archive, as where two were joined."""
    file, end = archive.fileobj, archive.offset
    try:
        file.seek(end)
        return bool(file.read(BEHIND).strip(b"\0"))
    except DAMAGED:
        return False


def _open(path: Path) -> _Archive:
    return _Archive.open(path, "r:*", encoding="utf-8")


def _raw(info: tarfile.TarInfo) -> bytes:
    return info.name.encode("utf-8", "surrogateescape")


def _member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, encoding: str
) -> Member | Rejection | None:
    """Return a member, why it is refused, or None for what is passed over."""
    name = encodings.decode(_raw(info), "utf-8", encoding)
    shown = (encodings.shown(_raw(info)) if name is None else name).removeprefix("./")
    if info.isdir() or is_ignored(shown):
        return None
    reason = encodings.UNKNOWN if name is None else _problem(info, shown)
    if reason:
        return Rejection(cut(shown), reason)
    return Member(shown, info.size, partial(_open_member, archive, info))


def _problem(info: tarfile.TarInfo, name: str) -> str | None:
    if reason := path_problem(name):
        return reason
    if info.issym() or info.islnk():
        return "a link"
    if info.issparse():
        return SPARSE
    return None if info.isreg() else "not a regular file"


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
