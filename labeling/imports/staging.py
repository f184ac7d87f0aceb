"""The files of an upload while it waits to be imported: below `uploads/` in the storage.

They are named by numbers. Where the storage is a folder of this machine, each is one file, which is
written as it comes. Elsewhere it lies in pieces, named by where they begin: the next one begins
where a piece ends. What needs a file of this machine, as an archive does, gets a copy of it.
"""

import errno
import io
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from django.conf import settings
from django.core.files.storage import default_storage

from labeling.models import Import
from labeling.stored_folders import objects, ownership, threads
from labeling.stored_folders.errors import StorageAway, StorageFull, asking

FOLDER = "uploads"  # in the storage, and of copies in `CACHE_ROOT`
IN_A_FOLDER = 1_000  # files
PIECE = 8 * 2**20  # bytes of a piece of a file that did not come in parts
AT_ONCE = 1_000  # objects that are deleted while somebody waits
ORPHANED_AFTER = 3_600.0  # seconds: a folder that no row names may be one that is being made
NO_ROOM = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
FULL = "The server's disk is full. What has come is kept: go on once there is room."
BUCKET_FULL = "The server's storage is full. What has come is kept: go on once there is room."


class DiskFull(RuntimeError):
    """The server has no room for more; what has come is kept, and the upload may go on later."""


class Piece(NamedTuple):
    """Bytes of the file of a number, from an offset on, before which all has come."""

    number: int
    offset: int
    data: bytes


def new_folder(record: Import) -> str:
    """Return a name that no other upload has or will have."""
    return f"{record.pk}-{secrets.token_hex(4)}"


def is_local() -> bool:
    """Whether the storage is a folder of this machine."""
    return objects.local_path(FOLDER) is not None


def folder_of(record: Import) -> Path:
    """Return the folder of an upload's files, or of this machine's copies of them."""
    if not record.folder:
        raise ValueError(f"{record} is no upload.")
    return _root() / record.folder


def path_of(record: Import, number: int) -> Path:
    """Return where a file of an upload, or this machine's copy of it, lies."""
    return folder_of(record) / str(number // IN_A_FOLDER) / str(number)


def check_room(needed: int) -> None:
    """Raise `DiskFull` unless so many bytes fit beside those that must stay free.

    Of a storage that is no folder of this machine nobody knows how much fits.
    """
    if not is_local():
        return
    root = _root()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(root).free
    if free - needed < settings.UPLOAD_MIN_FREE_BYTES:
        missing = settings.UPLOAD_MIN_FREE_BYTES + needed - free
        raise DiskFull(
            f"The server's disk is full: {missing:,} bytes more must be free. "
            "What has come is kept: go on once there is room."
        )


def write(record: Import, pieces: Iterable[Piece]) -> None:
    """Write pieces of files, of one file in their order. Raises `DiskFull` and StorageAway."""
    if is_local():
        ownership.check()
        for piece in pieces:
            _write(path_of(record, piece.number), piece)
        return

    def write_one(piece: Piece) -> None:
        objects.write(f"{_name(record, piece.number)}/{piece.offset}", piece.data)

    try:
        threads.all_at_once(write_one, pieces)
    except StorageFull as error:
        raise DiskFull(BUCKET_FULL) from error


def put(record: Import, number: int, path: Path) -> None:
    """Put a file of this machine into the storage, unless it lies there (`path_of`)."""
    if is_local():
        return
    with path.open("rb") as file:
        write(record, _pieces_of(number, file))
    path.unlink()


def read(record: Import, number: int, size: int) -> bytes:
    """Return a file's bytes. Raises FileNotFoundError where some are missing, and StorageAway."""
    with open_file(record, number, size) as file:
        return file.read()


def open_file(record: Import, number: int, size: int) -> BinaryIO:
    """Open a file to be read from its beginning. Raises FileNotFoundError and StorageAway."""
    path = path_of(record, number)
    if is_local() or path.exists():
        file = path.open("rb")
        if os.fstat(file.fileno()).st_size != size:
            file.close()
            raise FileNotFoundError(path)
        return file
    pieces = cast(io.RawIOBase, _Pieces(_name(record, number), size))
    return cast(BinaryIO, io.BufferedReader(pieces))


def local(record: Import, number: int, size: int) -> Path:
    """Return a file as one of this machine, whole.

    Raises FileNotFoundError where some of it is missing, OSError, and StorageAway.
    """
    path = path_of(record, number)
    if is_local() or path.exists():
        return path
    remove_copies()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with open_file(record, number, size) as source, draft.open("xb") as file:
            shutil.copyfileobj(source, file, PIECE)
        return draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def delete(record: Import, number: int) -> None:
    """Delete a file, and what came of it."""
    path = path_of(record, number)
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.part").unlink(missing_ok=True)
    if not is_local():
        threads.all_at_once(objects.delete, objects.walk(_name(record, number)))


def remove(record: Import) -> None:
    """Delete the files of an upload; of very many that are no files of this machine, the sweep."""
    if record.folder and (is_local() or record.files <= AT_ONCE):
        _remove(record.folder)


def remove_orphans(known: Collection[str]) -> int:
    """Delete the folders that no unfinished import names, as of deleted projects; return how many.

    known: the names of those that are still needed. Raises StorageAway.
    """
    ownership.check()
    names: list[str] = []
    with suppress(FileNotFoundError), asking():
        names, _ = default_storage.listdir(FOLDER)
    orphans = [name for name in names if name not in known and _is_old(name)]
    for name in orphans:
        _remove(name)
    remove_copies()
    return len(orphans)


def remove_copies() -> None:
    """Delete this machine's copies of what no unfinished import needs."""
    if is_local() or not (root := _root()).is_dir():
        return
    names = [folder.name for folder in root.iterdir()]
    needed = Import.objects.filter(folder__in=names, uploaded_files__isnull=False).distinct()
    for name in set(names) - set(needed.values_list("folder", flat=True)):
        shutil.rmtree(root / name, ignore_errors=True)


def _root() -> Path:
    """Return the folder of all uploads, or of this machine's copies of them."""
    return objects.local_path(FOLDER) or Path(settings.CACHE_ROOT) / FOLDER


def _name(record: Import, number: int) -> str:
    """Return the name of a file in the storage."""
    return f"{FOLDER}/{record.folder}/{number // IN_A_FOLDER}/{number}"


def _write(path: Path, piece: Piece) -> None:
    """Write into a file from an offset on; make it where it is missing. Raises `DiskFull`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.seek(piece.offset)
            file.write(piece.data)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFull(FULL) from error


def _pieces_of(number: int, file: BinaryIO) -> Iterator[Piece]:
    offset = 0
    while data := file.read(PIECE):
        yield Piece(number, offset, data)
        offset += len(data)


def _remove(name: str) -> None:
    shutil.rmtree(_root() / name, ignore_errors=True)
    if is_local():
        return
    with suppress(StorageAway):  # the sweep finds it
        if delete_below := getattr(getattr(default_storage, "bucket", None), "objects", None):
            prefix = default_storage._normalize_name(f"{FOLDER}/{name}/")  # type: ignore[attr-defined]
            with asking():  # S3 deletes a thousand in a request
                delete_below.filter(Prefix=f"{prefix.rstrip('/')}/").delete()
            return
        threads.all_at_once(objects.delete, objects.walk(f"{FOLDER}/{name}"))


def _is_old(name: str) -> bool:
    """Whether a folder is not one that is being made, by the age of a file in it."""
    path = objects.local_path(f"{FOLDER}/{name}")
    if path is not None:
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime > ORPHANED_AFTER
        return False
    for file in objects.walk(f"{FOLDER}/{name}"):
        with suppress(FileNotFoundError), asking():
            modified = default_storage.get_modified_time(file).timestamp()
            return time.time() - modified > ORPHANED_AFTER
    return False


class _Pieces(io.RawIOBase):
    """A file that lies in pieces, read one after another."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._place, self._rest = 0, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._rest and self._place < self._size:
            self._rest = memoryview(objects.read(f"{self._name}/{self._place}"))
            self._place += len(self._rest)
            if not self._rest or self._place > self._size:
                raise FileNotFoundError(errno.ENOENT, "Some of it is missing", self._name)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
