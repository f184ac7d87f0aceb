"""A folder of pictures, with all that lies below it."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from labeling.decoding import ImageRejected
from labeling.imports import archives, encodings
from labeling.imports.members import (
    Member,
    Rejection,
    SourceError,
    guarded,
    is_ignored,
    path_problem,
    unreadable,
)


def members(folder: Path, *, encoding: str = "") -> Iterator[Member | Rejection]:
    """Yield the members in the order of their names, without following links.

    An archive is a source of its own, whose members lie in a folder of its name. encoding: of
    names that are not UTF-8. Raises `SourceError`.
    """
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise SourceError(f"{folder} cannot be opened: {error.strerror}.") from error
    yield from _below(folder, "", encoding)


def _below(folder: Path, prefix: str, encoding: str) -> Iterator[Member | Rejection]:
    """Yield what lies in a folder whose path in the source is that, with a slash behind it."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        yield Rejection(prefix.rstrip("/"), f"cannot be opened: {error.strerror}")
        return
    names = {entry.name for entry in entries}
    for entry in entries:
        decoded = encodings.decode(os.fsencode(entry.name), "utf-8", encoding)
        if is_ignored(entry.name):
            continue
        if decoded is None:
            shown = encodings.shown(os.fsencode(entry.name))
            yield Rejection(f"{prefix}{shown}", encodings.UNKNOWN)
        elif entry.is_symlink():
            yield Rejection(f"{prefix}{decoded}", "a link")
        elif entry.is_dir():
            yield from _below(Path(entry.path), f"{prefix}{decoded}/", encoding)
        elif archives.is_archive(decoded) and entry.is_file():
            shard = f"{prefix}{archives.folder_of(decoded, names)}"
            yield from archives.shard(
                Path(entry.path), f"{prefix}{decoded}", folder=shard, encoding=encoding
            )
        else:
            yield file(f"{prefix}{decoded}", Path(entry.path))


def file(name: str, path: Path) -> Member | Rejection:
    """Return a file as a member of that path in the source, or why it is none."""
    try:
        status = path.stat()
    except OSError as error:
        return Rejection(name, f"cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Rejection(name, "not a regular file")
    if reason := path_problem(name, inside="folder"):
        return Rejection(name, reason)
    return Member(name, status.st_size, partial(_open, path))


def _open(path: Path) -> BinaryIO:
    try:
        return guarded(path.open("rb"), faults=(OSError,), reason=unreadable)
    except OSError as error:
        raise ImageRejected(unreadable(error)) from error
