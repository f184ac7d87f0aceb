"""A zip of pictures. Nothing is ever unpacked to disk."""

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from labeling.decoding import ImageRejected, read
from labeling.imports.members import Member, Rejection, SourceError, is_ignored, path_problem

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
END_MAX = 22 + 0xFFFF + 20  # bytes of a zip's end: its record, a comment, and a locator before it
ENCRYPTED, UTF_8 = 0x1, 0x800  # of a member's flag bits
UNKNOWN_ENCODING = "a name in an unknown encoding: pack it again with names in UTF-8"


def members(path: Path) -> Iterator[Member | Rejection]:
    """Yield the members in the archive's order. Raises `SourceError`."""
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED as error:
        raise SourceError(f"{path} is cut off or damaged: pack it again.") from error
    with archive:
        for info in archive.infolist():
            name = _name(info)
            if info.is_dir() or is_ignored(name or info.filename):
                continue
            reason = _problem(info, name)
            if reason or name is None:
                yield Rejection(name or info.filename, reason or UNKNOWN_ENCODING)
            else:
                yield Member(name, info.file_size, partial(_read, archive, info))


def directory_size(path: Path) -> int:
    """Return the bytes of a zip's directory, which opening it reads into memory; 0 for none.

    After PKWARE's APPNOTE.TXT, sections 4.3.14 to 4.3.16.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END_MAX))
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        if end < 0 or len(tail) < end + 16:
            return 0
        (directory,) = struct.unpack_from("<L", tail, end + 12)
        locator = end - 20
        if directory == 0xFFFFFFFF and tail[locator : locator + 4] == b"PK\6\7":
            (offset,) = struct.unpack_from("<Q", tail, locator + 8)
            file.seek(min(offset, size))
            record = file.read(56)
            return int(struct.unpack_from("<Q", record, 40)[0]) if len(record) == 56 else 0
        return int(directory)


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


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    try:
        with archive.open(info) as file:
            return read(file, bytes_max=limit)
    except ImageRejected:
        raise
    except NotImplementedError as error:
        raise ImageRejected("packed in a way that cannot be read") from error
    except DAMAGED as error:
        raise ImageRejected("damaged inside the archive") from error
