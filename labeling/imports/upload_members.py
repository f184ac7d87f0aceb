"""The members of an upload: its files, and what its archives hold, as one source."""

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

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
AHEAD = 16  # files that are fetched at a time …
SMALL = 20 * 2**20  # … where they have no more bytes than this
LOST = "was lost on the server: upload it again"


class _File(NamedTuple):
    """What is needed of an `UploadedFile`."""

    path: str
    number: int
    size: int
    problem: str


class Ahead:
    """Opens files of an upload, and fetches those that follow where the storage is no folder.

    Use it in a `with`.
    """

    def __init__(self, record: Import, files: list[_File]) -> None:
        self._record, self._files = record, files
        self._places = {file.number: place for place, file in enumerate(files)}
        self._fetched: dict[int, Future[bytes]] = {}  # by number, in the order of fetching
        self._is_local = staging.is_local()
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="upload")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def open(self, file: _File) -> BinaryIO:
        """Open a file. Raises FileNotFoundError, OSError and StorageAway."""
        if self._is_local or file.size > SMALL:
            return staging.open_file(self._record, file.number, file.size)
        place = self._places[file.number]
        for each in self._files[place : place + AHEAD]:
            if each.number not in self._fetched and 0 < each.size <= SMALL:
                read = partial(staging.read, self._record, each.number, each.size)
                self._fetched[each.number] = self._pool.submit(read)
        data = self._fetched.pop(file.number).result()
        while len(self._fetched) > 2 * AHEAD:  # of files that somebody else reads
            del self._fetched[next(iter(self._fetched))]
        return io.BytesIO(data)


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
    with Ahead(record, [file for file in files if not file.problem]) as ahead:
        for file in files:
            if file.problem:
                yield Rejection(file.path, file.problem)
            elif alone and (path := _list(record, file, column)):
                yield from urls.members(path, file.path, column)
            elif archives.is_archive(file.path):
                folder = "" if alone else archives.folder_of(file.path, names)
                yield from _of_archive(record, file, folder, encoding)
            else:
                yield Member(file.path, file.size, partial(_open, ahead, file))


def _list(record: Import, file: _File, column: str) -> Path | None:
    """Return the file of a list of addresses; None where it is none."""
    if Path(file.path).suffix.lower() not in urls.SUFFIXES:
        return None
    try:
        path = staging.local(record, file.number, file.size)
    except FileNotFoundError:
        return None
    return path if urls.is_list(path, file.path, column) else None


def _of_archive(
    record: Import, file: _File, folder: str, encoding: str
) -> Iterator[Member | Rejection]:
    name = file.path
    try:
        path = staging.local(record, file.number, file.size)
    except FileNotFoundError:
        path = staging.path_of(record, file.number)
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


def _open(ahead: Ahead, file: _File) -> BinaryIO:
    if not file.size:
        return io.BytesIO()
    try:
        opened = ahead.open(file)
    except FileNotFoundError as error:
        raise ImageRejected(LOST) from error
    except OSError as error:
        raise ImageRejected(unreadable(error)) from error
    return guarded(opened, faults=(OSError,), reason=unreadable, shortest=file.size, cut_off=LOST)
