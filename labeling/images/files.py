"""Write pictures into the storage, named by their content, and delete what no image uses.

The files of one content are one file, whichever projects have it: whoever writes files holds them
shared until its rows are stored, and whoever deletes some holds them alone.
"""

import os

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection

from labeling.decoding import Picture

LOCK = 0x1F11E5  # PostgreSQL's advisory lock of this number


def hold() -> None:
    """Keep others from deleting files, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


def hold_alone() -> None:
    """Keep others from writing or deleting files, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def delete(name: str) -> None:
    """Delete a file that no image uses, while files are held alone."""
    storages["default"].delete(name)


def write(picture: Picture) -> str:
    """Write the file under its hash; return its name. One that a crash cut off is replaced."""
    name = f"images/{picture.sha256[:2]}/{picture.sha256}.{picture.suffix}"
    storage = storages["default"]
    if type(storage) is FileSystemStorage and _create(storage, name, picture.data):
        return name
    if storage.exists(name):
        if storage.size(name) == len(picture.data):
            return name
        storage.delete(name)
    return storage.save(name, ContentFile(picture.data))


def _create(storage: FileSystemStorage, name: str, data: bytes) -> bool:
    """Create a file; return whether that was possible: it is not there, and its folder is.

    Does what `save` does without looking for a free name, a fifth of the time.
    """
    path = os.path.join(storage.location, name)  # noqa: PTH118 (which is slow for so many)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except (FileExistsError, FileNotFoundError):
        return False
    with os.fdopen(file, "wb", buffering=0) as raw:
        if storage.file_permissions_mode is not None:
            os.fchmod(file, storage.file_permissions_mode)
        rest = memoryview(data)
        while rest:
            rest = rest[raw.write(rest) :]
    return True
