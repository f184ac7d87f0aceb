"""Folders that several processes need, in the storage; this machine's copies of them.

A row names a folder by its name in the storage, such as `snapshots/12-ab34cd`, and never by a path
of one machine. Where the storage is a folder of this machine, nothing is copied. Otherwise what is
read is a copy below `CACHE_ROOT`, which is checked, kept while its thread's request or task goes
on, and deleted when others need the room (`FOLDER_CACHE_BYTES`).

Whoever calls must tell two errors apart: `FolderMissing` is a fact, `StorageAway` says nothing of
the folder, and is no reason to give anything up.
"""

import shutil
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from labeling.stored_folders import cache, indexes, objects, ownership, putting, threads
from labeling.stored_folders.errors import FolderDamaged, FolderMissing, StorageAway, StorageFull
from labeling.stored_folders.indexes import StoredFile
from labeling.stored_folders.locks import release
from labeling.stored_folders.reader import Reader

__all__ = [
    "FolderDamaged",
    "FolderMissing",
    "Reader",
    "StorageAway",
    "StorageFull",
    "StoredFile",
    "delete",
    "exists",
    "fetch",
    "here",
    "holds",
    "index",
    "open",
    "place",
    "put",
    "release",
    "working",
]
DRAFTS_KEPT = 7 * 24 * 3600  # seconds
ROUNDS = 5  # in which the folder is put again while it is fetched


def put(
    local: Path,
    name: str,
    *,
    digests: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    move: bool = False,
    keep: bool = True,
) -> None:
    """Put a folder of this machine into the storage, in place of an earlier one of that name.

    Until all files are there, others see the earlier one, or none. What an earlier try brought
    there is not sent again. digests: SHA-256 of files that need not be read for it. without: files
    that do not belong to it. move: the local
    folder is not needed any more; where the storage is elsewhere, it becomes the copy of this
    machine, if that is to keep one. Raises StorageAway; put it again then.
    """
    target = objects.local_path(indexes.check_name(name))
    if target is None:
        listing = putting.elsewhere(name, local, digests or {}, without)
        if move and keep:
            _remove(local, without)
            cache.adopt(name, listing, local)
        elif move:
            shutil.rmtree(local)
        return
    ownership.check()
    if move and local.resolve() != target.resolve():
        _remove(local, without)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(local, target)
        local = target
    putting.in_place(name, local, target, digests or {}, without)


def fetch(name: str, *, only: Iterable[str] | None = None) -> Path:
    """Return the path of a stored folder, on this machine; its files are not to be changed.

    only: the files that are needed; others may then lack. Raises FolderMissing, also where one of
    them is not in the folder, and StorageAway.
    """
    wanted = None if only is None else list(only)
    found = indexes.read(name)
    local = objects.local_path(name)
    if local is not None and found.plain:
        for file in wanted or ():
            if not (local / indexes.check_name(file)).is_file():
                raise FolderMissing(f"{name} in the storage holds no {file}.")
        return local
    for _ in range(ROUNDS):
        try:
            return cache.fetch(name, found, wanted)
        except KeyError as error:
            raise FolderMissing(f"{name} in the storage holds no {error.args[0]}.") from error
        except (FileNotFoundError, FolderDamaged) as error:
            again = indexes.read(name)
            if again == found:
                if isinstance(error, FolderDamaged):
                    raise
                raise FolderDamaged(f"{name} in the storage lacks a file.") from error
            found = again  # it was put again meanwhile
    raise StorageAway(f"{name} is put again and again: it is tried later.")


def here(name: str) -> Path | None:
    """Return where files of a folder lie on this machine without asking the storage; they may lack.

    Nothing is said of what is in them.
    """
    if not name:
        return None
    local = objects.local_path(indexes.check_name(name))
    return cache.newest(name) if local is None else local


def place(name: str) -> str:
    """Return where a folder lies, for people: a path, or its name in a storage elsewhere."""
    return str(objects.local_path(indexes.check_name(name)) or name) if name else ""


def open(name: str, file: str) -> BinaryIO:
    """Open one file of a stored folder, without the rest. Raises FolderMissing, StorageAway."""
    path = fetch(name, only=[file]) / file
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise FolderMissing(f"{name} in the storage holds no {file}.") from error


def exists(name: str) -> bool:
    """Whether the storage holds a complete folder of that name. Raises StorageAway."""
    try:
        indexes.read(name)
    except FolderMissing:
        return False
    return True


def index(name: str) -> dict[str, StoredFile]:
    """Return the size and SHA-256 of each file of a folder. Raises FolderMissing, StorageAway."""
    return indexes.files_of(name, indexes.read(name))


def holds(name: str, files: Iterable[str], sha256: str) -> bool:
    """Whether a folder holds one of some files, with that content.

    A long list of its files is not read. Raises FolderMissing and StorageAway.
    """
    found = indexes.read(name)
    if found.listed is not None:
        return any(file in found.listed for file in files)
    stored = StoredFile(0, sha256)
    return any(objects.exists(found.key(name, file, stored)) for file in files)


def delete(name: str) -> None:
    """Delete a folder, or what an unfinished try left of it, and this machine's copies of it.

    Raises StorageAway.
    """
    local = objects.local_path(indexes.check_name(name))
    ownership.check()
    objects.delete(f"{name}/{indexes.INDEX}")  # first, so that nobody sees half of it
    if local is not None:
        shutil.rmtree(local, ignore_errors=True)
    else:
        threads.all_at_once(objects.delete, objects.walk(name))
    cache.forget(name)
    shutil.rmtree(_working(name), ignore_errors=True)


def working(name: str) -> Path:
    """Return where a process of this machine writes a folder before it is put.

    It is the folder's own place where the storage is a folder of this machine. Raises StorageAway.
    """
    path = objects.local_path(indexes.check_name(name))
    if path is None:
        path = _working(name)
        _remove_old_drafts(path.parent)
    else:
        ownership.check()
    path.mkdir(parents=True, exist_ok=True)
    return path


def _remove_old_drafts(folder: Path) -> None:
    """Delete the drafts that processes killed long ago left, whose work others have done."""
    for draft in folder.glob(".draft-*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > DRAFTS_KEPT:
                shutil.rmtree(draft, ignore_errors=True)


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _working(name: str) -> Path:
    return Path(settings.CACHE_ROOT) / "working" / name
