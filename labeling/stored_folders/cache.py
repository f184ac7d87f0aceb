"""Copies of stored folders on this machine: checked, kept while in use, the oldest deleted first.

    CACHE_ROOT/folders/KEY/lock             held by whoever begins to use or deletes there
    CACHE_ROOT/folders/KEY/DIGEST/use       shared by those who use the copy; its time: the last use
    CACHE_ROOT/folders/KEY/DIGEST/fetching  held by whoever fetches the whole folder
    CACHE_ROOT/folders/KEY/DIGEST/list.json the folder's files
    CACHE_ROOT/folders/KEY/DIGEST/NAME      the files themselves

DIGEST is the hash of the list: a folder that was put again is another copy, and whoever reads the
earlier one is not disturbed. Files that are equal in both are stored once, by hard links.
"""

import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from django.conf import settings

from labeling.stored_folders import indexes, locks, objects, threads
from labeling.stored_folders.errors import NO_ROOM, FolderDamaged
from labeling.stored_folders.indexes import Files, Index, Listing, StoredFile

# The time of a file whose hash was found right: one that was written to since is read again.
CHECKED = 946_684_800 * 10**9
READ_ONLY = 0o444
LOCK, USE, FETCHING, LIST, SIZE = "lock", "use", "fetching", "list.json", "size"


def fetch(folder: str, found: Index, only: Iterable[str] | None) -> Path:
    """Return the path of a copy that holds the folder's files, or some of them.

    It is kept until this thread calls `locks.release`. Raises FileNotFoundError where the storage
    lacks a file, FolderDamaged where one is not as it was put there, and StorageAway.
    """
    place = _place(folder)
    place.mkdir(parents=True, exist_ok=True)
    copy = place / found.digest
    path = copy / PurePosixPath(folder).name
    with locks.exclusive(place / LOCK):
        path.mkdir(parents=True, exist_ok=True)
        (copy / USE).touch()
        locks.keep(copy / USE)
    files = _files(copy, folder, found)
    if only is not None:  # does not wait for whoever fetches it all
        _complete(copy, path, folder, found, files, {name: files[name] for name in only})
    else:
        with locks.exclusive(copy / FETCHING):
            _complete(copy, path, folder, found, files, files)
    return path


def _complete(
    copy: Path, path: Path, folder: str, found: Index, files: Files, wanted: Files
) -> None:
    """Fetch what lacks of the files that are wanted, or is not right."""
    missing = {name: each for name, each in wanted.items() if not _is_right(path / name, each)}
    if not missing:
        return
    earlier = _earlier(copy.parent, but=copy, name=path.name)
    _make_room(sum(each.size for each in missing.values()))
    try:
        _fill(path, folder, found, missing, earlier)
    except OSError as error:
        if error.errno not in NO_ROOM or not evict(to=0):
            raise
        _fill(path, folder, found, missing, earlier)
    _note_size(copy, path, files)


def newest(folder: str) -> Path | None:
    """Return the copy of a folder that was used last, as far as it goes; keep it."""
    place = _place(folder)
    if not place.is_dir():
        return None
    with locks.exclusive(place / LOCK):
        copy = max(_copies(place), key=_last_use, default=None)
        if copy is None:
            return None
        locks.keep(copy / USE)
        return copy / PurePosixPath(folder).name


def adopt(folder: str, listing: Listing, local: Path) -> None:
    """Make a folder that was just put the copy of it, which saves fetching it."""
    place = _place(folder)
    place.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(place / LOCK):
        copy = place / listing.digest
        path = copy / PurePosixPath(folder).name
        if path.exists():
            shutil.rmtree(local)
            return
        copy.mkdir(exist_ok=True)
        (copy / USE).touch()
        (copy / LIST).write_bytes(listing.data)
        for name in listing.files:
            _mark(local / name)
        shutil.move(local, path)
        _note_size(copy, path, listing.files)
    _make_room(0)


def forget(folder: str) -> None:
    """Delete the copies of a folder that nobody uses."""
    place = _place(folder)
    if place.is_dir():
        with locks.exclusive(place / LOCK):
            for copy in _copies(place):
                _remove(copy)


def evict(*, to: int) -> int:
    """Delete the copies that nobody uses, the least recently used first, down to so many bytes.

    Return how many copies were deleted.
    """
    copies = [copy for place in _root().glob("*/") for copy in _copies(place)]
    by_use = sorted((_last_use(copy), _size(copy), copy) for copy in copies)
    total, removed = sum(size for _, size, _ in by_use), 0
    for _, size, copy in by_use:
        if total <= to:
            break
        with locks.exclusive_now(copy.parent / LOCK) as free:
            if free and _remove(copy):
                total, removed = total - size, removed + 1
    return removed


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file of this machine."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _root() -> Path:
    return Path(settings.CACHE_ROOT) / "folders"


def _place(folder: str) -> Path:
    return _root() / quote(folder, safe="")


def _files(copy: Path, folder: str, found: Index) -> Files:
    """Return the folder's files, as they are listed here or else in the storage."""
    path = copy / LIST
    with suppress(FileNotFoundError, FolderDamaged):
        return indexes.parse_list(path.read_bytes(), folder=folder, digest=found.digest)
    files = indexes.files_of(folder, found)
    with io.BytesIO(Listing(files, plain=found.plain).data) as data:
        objects.copy(data, path)
    return files


def _is_right(path: Path, stored: StoredFile) -> bool:
    """Whether a file is here as it was put into the storage; one that was touched is read again."""
    try:
        about = path.stat()
    except OSError:
        return False
    if about.st_size != stored.size:
        return False
    if about.st_mtime_ns == CHECKED:
        return True
    if sha256_of(path) != stored.sha256:
        return False
    _mark(path)
    return True


def _mark(path: Path) -> None:
    path.chmod(READ_ONLY)
    os.utime(path, ns=(CHECKED, CHECKED))


def _earlier(place: Path, *, but: Path, name: str) -> list[tuple[Path, Files]]:
    """Return the other copies of a folder, the last used first, with what they hold."""
    copies = sorted((each for each in _copies(place) if each != but), key=_last_use, reverse=True)
    found = []
    for copy in copies:
        with suppress(FileNotFoundError, FolderDamaged):
            data = (copy / LIST).read_bytes()
            found.append((copy / name, indexes.parse_list(data, folder=name, digest=copy.name)))
    return found


def _fill(
    path: Path,
    folder: str,
    found: Index,
    missing: Mapping[str, StoredFile],
    earlier: list[tuple[Path, Files]],
) -> None:
    for parent in {(path / name).parent for name in missing}:
        parent.mkdir(parents=True, exist_ok=True)

    def get(item: tuple[str, StoredFile]) -> None:
        name, stored = item
        for other, files in earlier:
            if files.get(name) == stored and _is_right(other / name, stored):
                draft = _draft(path / name)
                with suppress(OSError):  # no hard links here
                    os.link(other / name, draft)
                    draft.replace(path / name)
                    return
        _download(found.key(folder, name, stored), stored, path / name)

    threads.all_at_once(get, missing.items())


def _download(key: str, stored: StoredFile, target: Path) -> None:
    """Fetch a file whose hash is right. Raises FileNotFoundError, FolderDamaged and StorageAway."""
    draft, hashed, size = _draft(target), hashlib.sha256(), 0
    try:
        with draft.open("xb") as out:
            for chunk in objects.chunks(key):
                size += len(chunk)
                if size > stored.size:
                    break
                hashed.update(chunk)
                out.write(chunk)
        if size != stored.size or hashed.hexdigest() != stored.sha256:
            raise FolderDamaged(f"{key} in the storage is not what was put there.")
        _mark(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}.part")


def _make_room(needed: int) -> None:
    """Delete copies until so many bytes more have room."""
    evict(to=max(0, settings.FOLDER_CACHE_BYTES - needed))


def _copies(place: Path) -> Iterator[Path]:
    return (copy for copy in place.glob("*/") if (copy / USE).exists())


def _last_use(copy: Path) -> float:
    try:
        return (copy / USE).stat().st_mtime
    except OSError:
        return 0.0


def _note_size(copy: Path, path: Path, files: Files) -> None:
    """Write down how large a copy is by now."""
    there = sum(each.size for name, each in files.items() if (path / name).exists())
    (copy / SIZE).write_text(str(there))


def _size(copy: Path) -> int:
    with suppress(OSError, ValueError):
        return int((copy / SIZE).read_text())
    return 0


def _remove(copy: Path) -> bool:
    """Delete a copy unless somebody uses it. Whoever calls holds the lock of its place."""
    with locks.exclusive_now(copy / USE) as free:
        if not free:
            return False
        gone = copy.with_name(f".{secrets.token_hex(8)}.gone")
        copy.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    return True
