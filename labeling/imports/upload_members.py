"""The members of an upload: its files, and what its archives hold, as one source."""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from django.conf import settings

from labeling.decoding import ImageRejected
from labeling.imports import source, staging, upload_paths
from labeling.imports.members import (
    Member,
    Rejection,
    SourceError,
    TooManyMembers,
    guarded,
    unreadable,
)
from labeling.imports.source import Members
from labeling.models import Import

ENTRIES = 3  # of a zip for each file that it may hold: macOS packs another beside each, and folders
LOST = "was lost on the server: upload it again"
NO_ARCHIVE = "is no zip or tar that can be read, or is cut off: pack it again"


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
    for file in files:
        if file.problem:
            yield Rejection(file.path, file.problem)
        elif upload_paths.is_archive(file.path):
            yield from _of_archive(staging.path_of(record, file.number), file.path, alone)
        else:
            path = staging.path_of(record, file.number)
            yield Member(file.path, file.size, partial(_open, path, file.size))


def _of_archive(path: Path, name: str, alone: bool) -> Iterator[Member | Rejection]:
    folder = "" if alone else f"{_without_suffix(name)}/"
    try:
        read_members = source.find(path, most=ENTRIES * settings.UPLOAD_MAX_FILES)
        for member in _bounded(read_members(), path.name):
            if isinstance(member, Rejection) and member.path == path.name:
                yield Rejection(name, member.reason)  # of the archive as a whole
            else:
                yield replace(member, path=f"{folder}{member.path}")
    except TooManyMembers:
        yield Rejection(name, _too_many())
    except SourceError:
        yield Rejection(name, NO_ARCHIVE if path.exists() else LOST)


def _bounded(members: Iterator[Member | Rejection], archive: str) -> Iterator[Member | Rejection]:
    """Yield no more than an upload may hold: a small archive may unpack to very much."""
    total = 0
    for count, member in enumerate(members, start=1):
        total += member.size if isinstance(member, Member) else 0
        if count > settings.UPLOAD_MAX_FILES:
            yield Rejection(archive, f"{_too_many()}: what follows was not read")
            return
        if total > settings.UPLOAD_MAX_BYTES:
            most = f"{settings.UPLOAD_MAX_BYTES:,}"
            yield Rejection(archive, f"unpacks to more than {most} bytes: the rest was not read")
            return
        yield member


def _too_many() -> str:
    return f"an archive of more than {settings.UPLOAD_MAX_FILES:,} files"


def _without_suffix(name: str) -> str:
    suffixes = sorted(upload_paths.READ_ARCHIVES, key=len, reverse=True)
    suffix = next(each for each in suffixes if name.lower().endswith(each))
    return name[: -len(suffix)] or name


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
