"""Put a folder into the storage: all of its files, then the index that makes it one."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from labeling.stored_folders import cache, indexes, objects, threads
from labeling.stored_folders.errors import FolderMissing, StorageAway, asking
from labeling.stored_folders.indexes import Files, Index, Listing, StoredFile

ROUNDS = 5  # in which others put the same folder, or write its files, after which it is put later
SMALL = 8 << 20  # bytes of a file that is read at once


def in_place(
    folder: str, local: Path, target: Path, digests: Mapping[str, str], without: Collection[str]
) -> None:
    """Put a folder into a storage that is a folder of this machine, unless it is there already."""
    with asking():
        files = _read(local, digests, without)
        is_there = local.resolve() == target.resolve()
        if not is_there:
            for name in files:
                with (local / name).open("rb") as file:
                    objects.copy(file, target / name)
        earlier = _files_there(folder)
        Listing(files, plain=True).write(folder)
        if not is_there:
            for name in earlier.keys() - files.keys():
                objects.delete(f"{folder}/{name}")


def elsewhere(
    folder: str, local: Path, digests: Mapping[str, str], without: Collection[str]
) -> Listing:
    """Put a folder into a storage that is no folder of this machine; return what was put.

    What an earlier try brought there is not sent again. Files may be written meanwhile: each is put
    as it was at one moment.
    """
    if not local.is_dir():
        raise FileNotFoundError(f"{local} is no folder.")
    for _ in range(ROUNDS):
        before = _index_there(folder)
        there = _keys(folder, before)
        names = [name for name, _ in _contents(local) if name not in without]
        files = _Sending(folder, local, digests, begun=bool(there)).send(names)
        if _index_there(folder) == before:
            break
    else:
        raise StorageAway(f"Others put {folder} at the same time: it is tried again.")
    listing = Listing(files, plain=False)
    listing.write(folder)
    kept = {indexes.key_of(folder, *each, plain=False) for each in files.items()}
    threads.all_at_once(objects.delete, _own(folder, there - kept))
    return listing


class _Sending:
    """Sends files under names with their hashes, unless they are there."""

    def __init__(
        self, folder: str, local: Path, digests: Mapping[str, str], *, begun: bool
    ) -> None:
        self._folder, self._local, self._digests = folder, local, digests
        self._begun = begun or any(True for _ in objects.walk(folder))
        self._files: Files = {}

    def send(self, names: list[str]) -> Files:
        """Return what was sent; a file that has gone meanwhile is left out."""
        threads.all_at_once(self._send, names)
        return self._files

    def _send(self, name: str) -> None:
        path = self._local / name
        for _ in range(ROUNDS):
            try:
                stored = self._send_small(name) or self._send_large(name)
            except FileNotFoundError:
                if path.exists():
                    raise
                return
            if stored is not None:
                self._files[name] = stored
                return
        raise StorageAway(f"{path} is being written all the time: it is put later.")

    def _send_small(self, name: str) -> StoredFile | None:
        """Send a file that fits into memory, as it is read once; None where it is larger."""
        with (self._local / name).open("rb") as file:
            data = file.read(SMALL + 1)
        if len(data) > SMALL:
            return None
        stored = StoredFile(len(data), hashlib.sha256(data).hexdigest())
        key = self._key(name, stored)
        if not self._is_there(key, stored):
            objects.write(key, data)
        return stored

    def _send_large(self, name: str) -> StoredFile | None:
        """Send a file piece by piece; None where it was written to meanwhile."""
        path = self._local / name
        before = path.stat()
        stored = StoredFile(before.st_size, self._digests.get(name) or cache.sha256_of(path))
        key = self._key(name, stored)
        if not self._is_there(key, stored):
            objects.upload(path, key)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return stored
        objects.delete(key)  # which may hold something else than its name says
        return None

    def _key(self, name: str, stored: StoredFile) -> str:
        return indexes.key_of(self._folder, name, stored, plain=False)

    def _is_there(self, key: str, stored: StoredFile) -> bool:
        return self._begun and objects.is_there(key, stored.size)


def _read(local: Path, digests: Mapping[str, str], without: Collection[str]) -> Files:
    """Return the files of a folder of this machine, with their hashes."""
    if not local.is_dir():
        raise FileNotFoundError(f"{local} is no folder.")
    files: Files = {}
    for name, path in _contents(local):
        with suppress(FileNotFoundError):  # it has gone meanwhile
            if name not in without:
                digest = digests.get(name) or cache.sha256_of(path)
                files[name] = StoredFile(path.stat().st_size, digest)
    return files


def _contents(local: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(local.rglob("*")):
        name = path.relative_to(local).as_posix()
        if path.is_file() and not indexes.is_own(name) and not name.endswith(".part"):
            yield indexes.check_name(name), path


def _own(folder: str, keys: set[str]) -> set[str]:
    """Return which files of a folder are not also those of a folder in it, put by itself."""
    inner = {
        str(parent)
        for key in keys
        for parent in PurePosixPath(key).parents
        if parent.is_relative_to(folder) and str(parent) != folder
    }
    inner = {each for each in inner if _index_there(each) is not None}
    return {key for key in keys if not inner.intersection(map(str, PurePosixPath(key).parents))}


def _index_there(folder: str) -> Index | None:
    try:
        return indexes.read(folder)
    except FolderMissing:
        return None


def _files_there(folder: str) -> Files:
    found = _index_there(folder)
    return indexes.files_of(folder, found) if found else {}


def _keys(folder: str, found: Index | None) -> set[str]:
    """Return the names in the storage of all that an index stands for, but for itself."""
    if found is None:
        return set()
    return {found.key(folder, *each) for each in indexes.files_of(folder, found).items()}
