"""A zip of pictures. Nothing is ever unpacked to disk."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from labeling.images.decoding import ImageRejected, read
from labeling.imports.members import Member, Rejection, SourceError, is_ignored, path_problem

ENCRYPTED = 0x1  # of a member's flag bits


def members(path: Path) -> Iterator[Member | Rejection]:
    """Yield the members in the archive's order. Raises `SourceError`."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise SourceError(f"{path} is cut off or damaged: pack it again.") from error
    with archive:
        for info in archive.infolist():
            if info.is_dir() or is_ignored(info.filename):
                continue
            reason = _problem(info)
            if reason:
                yield Rejection(info.filename, reason)
            else:
                yield Member(info.filename, info.file_size, partial(_read, archive, info))


def _problem(info: zipfile.ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "not a regular file"
    if info.flag_bits & ENCRYPTED:
        return "encrypted"
    return path_problem(info.filename)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    try:
        with archive.open(info) as file:
            return read(file, bytes_max=limit)
    except NotImplementedError as error:
        raise ImageRejected("packed in a way that cannot be read") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ImageRejected("damaged inside the archive") from error
