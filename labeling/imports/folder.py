"""A folder of pictures, with all that lies below it."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from labeling.decoding import ImageRejected
from labeling.imports import archives, encodings
from labeling.imports.members import (
    PATH_MAX,
    TOO_LONG,
    Member,
    Rejection,
    SourceError,
    cut,
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
    open_folders = [_within(_Folder(folder, ""), encoding)]  # each within the one before it
    while open_folders:
        found = next(open_folders[-1], None)
        if found is None:
            open_folders.pop()
        elif isinstance(found, _Folder):
            open_folders.append(_within(found, encoding))
        else:
            yield found


class _Folder(NamedTuple):
    """A folder, and its path in the source with a slash behind it; empty: it is the source."""

    path: Path
    prefix: str


def _within(folder: _Folder, encoding: str) -> Iterator[Member | Rejection | _Folder]:
    """Yield what lies in a folder, and the folders in it."""
    path, prefix = folder
    if len(prefix) > PATH_MAX:
        yield Rejection(cut(prefix), TOO_LONG)
        return
    try:
        with os.scandir(path) as scanned:
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
            yield _Folder(Path(entry.path), f"{prefix}{decoded}/")
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
