"""Put a folder into the storage: all of its files, then the index that makes it one."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from labeling.stored_folders import cache, indexes, objects, threads
from labeling.stored_folders.errors import FolderMissing, StorageAway, asking
from labeling.stored_folders.indexes import Files, Index, Listing, StoredFile

ROUNDS = 5  # in which others put the same folder, after which it is put later


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

    What an earlier try brought there is not sent again.
    """
    files = _read(local, digests, without)
    listing = Listing(files, plain=False)
    for _ in range(ROUNDS):
        before = _index_there(folder)
        there = _keys(folder, before)
        _send(folder, local, files, there)
        if _index_there(folder) == before:
            break
    else:
        raise StorageAway(f"Others put {folder} at the same time: it is tried again.")
    listing.write(folder)
    kept = {indexes.key_of(folder, *each, plain=False) for each in files.items()}
    threads.all_at_once(objects.delete, there - kept)
    return listing


def _send(folder: str, local: Path, files: Files, there: set[str]) -> None:
    begun = bool(there) or any(True for _ in objects.walk(folder))

    def send(item: tuple[str, StoredFile]) -> None:
        name, stored = item
        key = indexes.key_of(folder, name, stored, plain=False)
        if not (begun and objects.is_there(key, stored.size)):
            objects.upload(local / name, key)

    threads.all_at_once(send, files.items())


def _read(local: Path, digests: Mapping[str, str], without: Collection[str]) -> Files:
    """Return the files of a folder of this machine, with their hashes."""
    if not local.is_dir():
        raise FileNotFoundError(f"{local} is no folder.")
    return {
        name: StoredFile(path.stat().st_size, digests.get(name) or cache.sha256_of(path))
        for name, path in _contents(local)
        if name not in without
    }


def _contents(local: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(local.rglob("*")):
        name = path.relative_to(local).as_posix()
        if path.is_file() and not indexes.is_own(name) and not name.endswith(".part"):
            yield indexes.check_name(name), path


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
