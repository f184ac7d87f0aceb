"""The files of an upload while it waits to be imported: below `UPLOAD_ROOT`, named by numbers."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from django.conf import settings

from labeling.models import Import

IN_A_FOLDER = 1_000  # files
ORPHANED_AFTER = 3_600.0  # seconds: a folder that no row names may be one that is being made
NO_ROOM = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
FULL = "The server's disk is full. What has come is kept: go on once there is room."


class DiskFull(RuntimeError):
    """The server has no room for more; what has come is kept, and the upload may go on later."""


def new_folder(record: Import) -> str:
    """Return a name that no other upload has or will have."""
    return f"{record.pk}-{secrets.token_hex(4)}"


def folder_of(record: Import) -> Path:
    """Return the folder of an upload's files."""
    if not record.folder:
        raise ValueError(f"{record} is no upload.")
    return Path(settings.UPLOAD_ROOT) / record.folder


def path_of(record: Import, number: int) -> Path:
    """Return where a file of an upload lies."""
    return folder_of(record) / str(number // IN_A_FOLDER) / str(number)


def check_room(needed: int) -> None:
    """Raise `DiskFull` unless so many bytes fit beside those that must stay free."""
    root = Path(settings.UPLOAD_ROOT)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(root).free
    if free - needed < settings.UPLOAD_MIN_FREE_BYTES:
        missing = settings.UPLOAD_MIN_FREE_BYTES + needed - free
        raise DiskFull(
            f"The server's disk is full: {missing:,} bytes more must be free. "
            "What has come is kept: go on once there is room."
        )


def write(path: Path, offset: int, chunks: Iterable[bytes]) -> None:
    """Write into a file from an offset on; make it where it is missing. Raises `DiskFull`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.seek(offset)
            file.writelines(chunks)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DiskFull(FULL) from error


def remove(record: Import) -> None:
    """Delete the files of an upload."""
    if record.folder:
        shutil.rmtree(folder_of(record), ignore_errors=True)


def remove_orphans(known: Collection[str]) -> int:
    """Delete the folders that no unfinished import names, as of deleted projects; return how many.

    known: the names of those that are still needed.
    """
    root = Path(settings.UPLOAD_ROOT)
    if not root.is_dir():
        return 0
    orphans = [
        folder
        for folder in root.iterdir()
        if folder.name not in known and time.time() - folder.stat().st_mtime > ORPHANED_AFTER
    ]
    for folder in orphans:
        shutil.rmtree(folder, ignore_errors=True)
    return len(orphans)
