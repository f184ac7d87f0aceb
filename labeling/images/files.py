"""Write pictures into the storage, named by their content, and delete what no image uses.

The files of one content are one file, whichever projects have it: whoever writes files holds them
shared until its rows are stored, and whoever deletes some holds them alone.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import connection

from labeling.decoding import Picture
from labeling.models import Image, RemovedImage
from labeling.stored_folders import objects, ownership, threads
from labeling.stored_folders.errors import asking

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


@dataclass(frozen=True)
class Written:
    """Files that were written while so many pictures had been removed."""

    sha256s: frozenset[str]
    removals: int


def write_ahead(pictures: Sequence[Picture]) -> Written:
    """Write files whose rows are not stored yet; `write_many` then finds most of them there."""
    removals = _removals()
    return Written(frozenset(write_many(pictures)), removals)


def write_many(pictures: Sequence[Picture], *, written: Written | None = None) -> dict[str, str]:
    """Write files under their hashes; return their names by hash. Raises StorageAway.

    written: what was written ahead, of which a storage elsewhere is not asked again.
    """
    storage = storages["default"]
    names = {picture.sha256: name_of(picture) for picture in pictures}
    data = {picture.sha256: picture.data for picture in pictures}
    if type(storage) is FileSystemStorage:
        ownership.check()
        for sha256, each in data.items():
            _place(storage, names[sha256], each)
        return names
    missing = data.keys() - _undisturbed(written)
    asked_for = missing if not hasattr(storage, "file_overwrite") else _of_images(missing)

    def save(sha256: str) -> None:
        _save(storage, names[sha256], data[sha256], ask=sha256 in asked_for)

    threads.all_at_once(save, sorted(missing))
    return names


def name_of(picture: Picture) -> str:
    """Return under which name a picture's file lies."""
    return f"images/{picture.sha256[:2]}/{picture.sha256}.{picture.suffix}"


def _of_images(sha256s: Iterable[str]) -> set[str]:
    """Return the hashes of which some image's file lies in the storage already."""
    images = Image.objects.filter(sha256__in=list(sha256s)).order_by()
    return set(images.values_list("sha256", flat=True))


def _undisturbed(written: Written | None) -> set[str]:
    """Return the hashes of what was written and not deleted since, while files are held."""
    if written is None or _removals() != written.removals:
        return set()
    removed = RemovedImage.objects.filter(sha256__in=written.sha256s).order_by()
    return set(written.sha256s) - set(removed.values_list("sha256", flat=True))


def _removals() -> int:
    """Return a number that changes whenever pictures are removed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM labeling_removedimage_id_seq")
        return int(cursor.fetchone()[0])


def _save(storage: Storage, name: str, data: bytes, *, ask: bool) -> None:
    """Write a file into a storage that is no folder. One that a crash cut off is replaced.

    ask: whether it may be there already.
    """
    if ask:
        with asking(), suppress(FileNotFoundError):
            if storage.size(name) == len(data):
                return
    objects.write(name, data)


def _place(storage: FileSystemStorage, name: str, data: bytes) -> None:
    """Put a file into its place, whole: another import may look for the same one meanwhile.

    Does what `save` does without looking for a free name, which takes far longer.
    """
    path = os.path.join(storage.location, name)  # noqa: PTH118 (which is slow for so many)
    with contextlib.suppress(FileNotFoundError):
        if os.stat(path).st_size == len(data):  # noqa: PTH116
            return
    part = f"{path}.{secrets.token_hex(8)}"
    try:
        _write(storage, part, data)
        os.replace(part, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)  # noqa: PTH108
        raise


def _write(storage: FileSystemStorage, path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o666)
    except FileNotFoundError:
        folder = os.path.dirname(path)  # noqa: PTH120
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        if storage.directory_permissions_mode is not None:
            os.chmod(folder, storage.directory_permissions_mode)  # noqa: PTH101
        file = os.open(path, flags, 0o666)
    with os.fdopen(file, "wb", buffering=0) as raw:
        if storage.file_permissions_mode is not None:
            os.fchmod(file, storage.file_permissions_mode)
        rest = memoryview(data)
        while rest:
            rest = rest[raw.write(rest) :]
