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
from labeling.imports.members import (
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
ENCRYPTED, UTF_8 = 0x1, 0x800  # of a member's flag bits
BROKEN = "damaged inside the archive"
UNKNOWN_ENCODING = "a name in an unknown encoding: pack it again with names in UTF-8"


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


def members(path: Path, *, most: int | None = None) -> Iterator[Member | Rejection]:
    """Yield the members in the archive's order. Raises `SourceError`, and `TooManyMembers`.

    most: members; None: any number.
    """
    with _File(path, most) as file:
        try:
            archive = zipfile.ZipFile(file)
        except DAMAGED as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"{path} is cut off or damaged: pack it again.") from error
        file.most = None
        with archive:
            for info in archive.infolist():
                if (member := _member(archive, info)) is not None:
                    yield member


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member | Rejection | None:
    """Return a member, why it is refused, or None for what is passed over."""
    name = _name(info)
    if info.is_dir() or is_ignored(name or info.filename):
        return None
    reason = _problem(info, name)
    if reason or name is None:
        return Rejection(cut(name or info.filename), reason or UNKNOWN_ENCODING)
    return Member(name, info.file_size, partial(_open, archive, info))


def _name(info: zipfile.ZipInfo) -> str | None:
    """Return a member's path with slashes, or None where its encoding is unknown.

    Without the UTF-8 flag, `zipfile` reads a name as code page 437. Many programs write UTF-8 all
    the same; what is not UTF-8 may be in any code page.
    """
    name = info.filename
    if not name.isascii() and not info.flag_bits & UTF_8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            return None
    return name.replace("\\", "/")


def _problem(info: zipfile.ZipInfo, name: str | None) -> str | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "not a regular file"
    if info.flag_bits & ENCRYPTED:
        return "encrypted"
    return path_problem(name) if name is not None else UNKNOWN_ENCODING


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    try:
        file = archive.open(info)
    except NotImplementedError as error:
        raise ImageRejected("packed in a way that cannot be read") from error
    except DAMAGED as error:
        raise ImageRejected(BROKEN) from error
    return guarded(file, faults=DAMAGED, reason=refused(BROKEN))
