"""A folder of pictures, with all that lies below it."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from labeling.decoding import ImageRejected
from labeling.imports.members import (
    Member,
    Rejection,
    SourceError,
    guarded,
    is_ignored,
    path_problem,
    unreadable,
)


def members(folder: Path) -> Iterator[Member | Rejection]:
    """Yield the members in the order of their names, without following links.

    Raises `SourceError`.
    """
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise SourceError(f"{folder} cannot be opened: {error.strerror}.") from error
    yield from _below(folder, folder)


def _below(root: Path, folder: Path) -> Iterator[Member | Rejection]:
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        yield Rejection(_name(root, folder), f"cannot be opened: {error.strerror}")
        return
    for entry in entries:
        path = Path(entry.path)
        name = _name(root, path)
        if is_ignored(name):
            continue
        if entry.is_symlink():
            yield Rejection(name, "a link")
        elif entry.is_dir():
            yield from _below(root, path)
        else:
            yield _file(name, path)


def _file(name: str, path: Path) -> Member | Rejection:
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


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
