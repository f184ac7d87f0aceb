"""The members of an upload: its files, and what its archives hold, as one source."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from django.conf import settings

from labeling.decoding import ImageRejected
from labeling.imports import archives, source, staging, urls
from labeling.imports.members import (
    Member,
    Rejection,
    TooManyMembers,
    guarded,
    unreadable,
)
from labeling.imports.options import Column, Options
from labeling.imports.source import Members
from labeling.models import Import

ENTRIES = 3  # of a zip for each file that it may hold: macOS packs another beside each, and folders
LOST = "was lost on the server: upload it again"


class _File(NamedTuple):
    """What is needed of an `UploadedFile`."""

    path: str
    number: int
    size: int
    problem: str


def members(record: Import) -> Members:
    """Return a function that iterates over all members of an upload at each call.

    An archive is a source of its own, whose members lie in a folder of its name; where nothing
    else was uploaded, they keep their paths, as by the command. What was refused when it was
    announced is a rejection.
    """
    rows = record.uploaded_files.order_by().values_list(*_File._fields)
    files = sorted(map(_File._make, rows))
    accepted = [file for file in files if not file.problem]
    alone = len(accepted) == 1
    return lambda: source.distinct(_members(record, files, alone))


def _members(record: Import, files: list[_File], alone: bool) -> Iterator[Member | Rejection]:
    options = Options.of(record.options)
    encoding, column = options.encoding, options.columns.get(Column.PICTURE, "")
    names = {name for file in files for name in _with_folders(file.path)}
    for file in files:
        path = staging.path_of(record, file.number)
        if file.problem:
            yield Rejection(file.path, file.problem)
        elif alone and urls.is_list(path, file.path, column):
            yield from urls.members(path, file.path, column)
        elif archives.is_archive(file.path):
            folder = "" if alone else archives.folder_of(file.path, names)
            yield from _of_archive(path, file.path, folder, encoding)
        else:
            yield Member(file.path, file.size, partial(_open, path, file.size))


def _of_archive(path: Path, name: str, folder: str, encoding: str) -> Iterator[Member | Rejection]:
    if not path.exists():
        yield Rejection(name, LOST, cut=True)
        return
    bound = partial(_bounded, archive=path.name)
    most = ENTRIES * settings.UPLOAD_MAX_FILES
    try:
        yield from archives.shard(
            path, name, folder=folder, encoding=encoding, most=most, bound=bound
        )
    except TooManyMembers:
        yield Rejection(name, _too_many(), cut=True)


def _with_folders(path: str) -> list[str]:
    """Return a path, and those of the folders in which it lies."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _bounded(members: Iterator[Member | Rejection], archive: str) -> Iterator[Member | Rejection]:
    """Yield no more than an upload may hold: a small archive may unpack to very much."""
    total = 0
    for count, member in enumerate(members, start=1):
        total += member.size if isinstance(member, Member) else 0
        if count > settings.UPLOAD_MAX_FILES:
            yield Rejection(archive, f"{_too_many()}: what follows was not read", cut=True)
            return
        if total > settings.UPLOAD_MAX_BYTES:
            most = f"{settings.UPLOAD_MAX_BYTES:,}"
            yield Rejection(
                archive, f"unpacks to more than {most} bytes: the rest was not read", cut=True
            )
            return
        yield member


def _too_many() -> str:
    return f"an archive of more than {settings.UPLOAD_MAX_FILES:,} files"


def _open(path: Path, size: int) -> BinaryIO:
    if not size:
        return io.BytesIO()
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise ImageRejected(LOST) from error
    except OSError as error:
        raise ImageRejected(unreadable(error)) from error
    if path.stat().st_size != size:
        file.close()
        raise ImageRejected(LOST)
    return guarded(file, faults=(OSError,), reason=unreadable, shortest=size, cut_off=LOST)
