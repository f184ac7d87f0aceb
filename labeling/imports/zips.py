"""A zip of pictures. Nothing is ever unpacked to disk."""

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from labeling.decoding import ImageRejected
from labeling.imports import encodings, zip_checks, zip_names
from labeling.imports.members import (
    DAMAGED_ARCHIVE,
    BadArchive,
    Member,
    Rejection,
    SourceError,
    TooManyMembers,
    cut,
    guarded,
    is_ignored,
    path_problem,
    refused,
)

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # NotImplementedError among them
    ValueError,
)
ENTRY_MAX = 1_024  # bytes of the directory for each member, more than any needs
ENTRY = b"PK\1\2"  # with which each of them begins
ENCRYPTED = 0x1  # of a member's flag bits
BROKEN = "damaged inside the archive"
ANOTHER_BEFORE = "another zip stands before it in the file and was not read: give each its own file"


class _File(io.BufferedReader):
    """A zip's file that refuses to read a directory of more members than so many.

    `zipfile` reads the directory at once, and makes an object of each member, before anybody can
    count them; what the zip's end says of their number and size need not be true.
    """

    def __init__(self, path: Path, most: int | None) -> None:
        super().__init__(io.FileIO(path))
        self.most = most  # None: any number, as of all that is read once the zip is open

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is None:
            return super().read(size)
        longest = max(ENTRY_MAX * self.most, io.DEFAULT_BUFFER_SIZE)
        data = super().read(longest if size is None or size < 0 else min(size, longest))
        is_cut = size is not None and size > longest
        if is_cut or data.count(ENTRY) > self.most:
            raise TooManyMembers(f"It holds more than {self.most:,} files.")
        return data


def members(
    path: Path, *, most: int | None = None, encoding: str = ""
) -> Iterator[Member | Rejection]:
    """Yield the members in the archive's order. Raises `SourceError`, and `TooManyMembers`.

    most: members; None: any number. encoding: of names of which the zip does not say it.
    """
    with _File(path, most) as file, _archive(path, file) as archive:
        infos = archive.infolist()
        wrong = zip_checks.check(archive, path)
        for info, name in zip(infos, zip_names.decoded(infos, encoding), strict=True):
            member = _member(archive, info, name)
            if isinstance(member, Member) and info.header_offset in wrong:
                yield Rejection(member.path, BROKEN)
            elif member is not None:
                yield member
        if zip_checks.follows_another(archive):
            yield Rejection(path.name, ANOTHER_BEFORE, cut=True)


def _archive(path: Path, file: _File) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except SourceError:
        raise
    except DAMAGED as error:
        raise BadArchive(path, DAMAGED_ARCHIVE) from error
    file.most = None
    return archive


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str | None
) -> Member | Rejection | None:
    """Return a member, why it is refused, or None for what is passed over."""
    shown = encodings.shown(zip_names.raw(info)) if name is None else name.replace("\\", "/")
    if info.is_dir() or shown.endswith("/") or is_ignored(shown):
        return None
    reason = encodings.UNKNOWN if name is None else _problem(info, shown)
    if reason:
        return Rejection(cut(shown), reason)
    return Member(shown, info.file_size, partial(_open, archive, info))


def _problem(info: zipfile.ZipInfo, name: str) -> str | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "not a regular file"
    if info.flag_bits & ENCRYPTED:
        return "encrypted"
    return path_problem(name)


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    try:
        file = archive.open(info)
    except NotImplementedError as error:
        raise ImageRejected("packed in a way that cannot be read") from error
    except DAMAGED as error:
        raise ImageRejected(BROKEN) from error
    return guarded(file, faults=DAMAGED, reason=refused(BROKEN))
