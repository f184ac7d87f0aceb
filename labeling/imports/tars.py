"""A tar of pictures, compressed or not. Nothing is ever unpacked to disk."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from labeling.decoding import ImageRejected, read
from labeling.imports.members import Member, Rejection, SourceError, is_ignored, path_problem

DAMAGED = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
# A compressed tar can only be stepped through: beyond a member of this size the rest is not worth
# the time that unpacking it would take.
STEP_MAX = 8 * 2**30


def members(path: Path) -> Iterator[Member | Rejection]:
    """Yield the members in the archive's order; read each before the next. Raises `SourceError`."""
    try:
        archive = tarfile.open(path, "r:*")  # noqa: SIM115 (closed below)
    except DAMAGED as error:
        raise SourceError(f"{path} is cut off or damaged: pack it again.") from error
    with archive:
        try:
            while info := archive.next():
                archive.members = []  # type: ignore[attr-defined]  # or a million members would be kept in memory
                yield from _member(archive, info)
                if info.size > STEP_MAX:
                    yield Rejection(info.name, "so large that what follows it was not read")
                    return
        except DAMAGED:
            yield Rejection(
                path.name, "the archive is cut off or damaged: what follows was not read"
            )


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[Member | Rejection]:
    if info.isdir() or is_ignored(info.name.removeprefix("./")):
        return
    name = info.name.removeprefix("./")
    if info.issym() or info.islnk():
        yield Rejection(name, "a link")
    elif not info.isreg():
        yield Rejection(name, "not a regular file")
    elif reason := path_problem(name):
        yield Rejection(name, reason)
    else:
        yield Member(name, info.size, partial(_read, archive, info))


def _read(archive: tarfile.TarFile, info: tarfile.TarInfo, limit: int) -> bytes:
    try:
        file = archive.extractfile(info)
        if file is None:
            raise ImageRejected("not a regular file")
        with file:
            data = read(file, bytes_max=limit)
    except DAMAGED as error:
        if isinstance(error, ImageRejected):
            raise
        raise ImageRejected("damaged inside the archive") from error
    if len(data) < info.size:
        raise ImageRejected("cut off inside the archive")
    return data
