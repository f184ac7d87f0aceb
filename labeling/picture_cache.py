"""Pictures that this machine keeps copies of, within `PICTURE_CACHE_BYTES`: rendered and fetched.

    CACHE_ROOT/tiles   tiles as people see them (`labeling.images.tiles`)
    CACHE_ROOT/images  pictures from a storage elsewhere, for processes that read paths

A file's time of change is its last use, to the hour. Each process that writes some looks now and
then whether they are too many, and deletes those that were not used for longest. It reads the
folders twice and remembers a number a minute, not a path a file: there may be millions.
"""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from labeling import local_files
from labeling.stored_folders import locks

FOLDERS = TILES, IMAGES = "tiles", "images"
LOCK, USE = ".lock", ".use"  # of whoever deletes, and of those whose pictures must stay
USED_EVERY = 3_600  # seconds between two notes of a file's use
LEFT = 0.9  # of the bytes, once some were deleted
PART = 64  # a process looks once it has written this part of the bytes, …
OFTEN = 24 * 3_600  # … and at its first one, if nobody has for so many seconds
MINUTE = 60

logger = logging.getLogger(__name__)
_written = 0
_begun = False
_counting = threading.Lock()


def note_use(path: Path) -> None:
    """Have a file count as used now."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > USED_EVERY:
            os.utime(path)


def note_written(size: int) -> None:
    """Count bytes that were written; now and then, delete from a thread what is too much."""
    global _written, _begun
    with _counting:
        _written += size
        is_due = _written * PART > settings.PICTURE_CACHE_BYTES or not (_begun or _is_fresh())
        _begun = True
        if is_due:
            _written = 0
    if is_due:
        threading.Thread(target=_sweep, name="picture-cache", daemon=True).start()


def fetch(name: str) -> Path:
    """Return the local path of a stored picture, which `keep_images` keeps.

    Raises FileNotFoundError and StorageAway.
    """
    path = local_files.fetch(name, cache=IMAGES)
    if path.is_relative_to(_root()):
        note_use(path)
    return path


def keep_images() -> None:
    """Keep the fetched pictures from being deleted until this thread's task has ended."""
    root = _root() / IMAGES
    root.mkdir(parents=True, exist_ok=True)
    locks.keep(root / USE)


def sweep() -> int:
    """Delete what is too much, the least recently used first; return how many files.

    Fetched pictures that a task on this machine is at stay. Where another process is at it, nothing
    is done.
    """
    root = _root()
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    with locks.exclusive_now(root / TILES / LOCK) as alone:
        if not alone:
            return 0
        os.utime(root / TILES / LOCK)
        with locks.exclusive_now(root / IMAGES / USE) as unused:
            count = _delete_oldest(FOLDERS if unused else (TILES,))
    if count:
        logger.info("Deleted %s pictures that were not used for longest, to have room.", count)
    return count


def _sweep() -> None:
    try:
        sweep()
    except OSError as error:
        logger.warning("The cache of pictures could not be looked through: %s", error)


def _delete_oldest(names: tuple[str, ...]) -> int:
    """Delete from some of the folders what is too much in both."""
    bytes_of = {name: Counter[int]() for name in FOLDERS}
    for name in FOLDERS:
        for file in _files(_root() / name):
            with suppress(OSError):
                about = file.stat()
                bytes_of[name][int(about.st_mtime) // MINUTE] += about.st_size
    total = sum(count.total() for count in bytes_of.values())
    if total <= settings.PICTURE_CACHE_BYTES:
        return 0
    deletable = sum((bytes_of[name] for name in names), Counter[int]())
    until = -1
    for minute in sorted(deletable):
        if total <= settings.PICTURE_CACHE_BYTES * LEFT:
            break
        total, until = total - deletable[minute], minute
    return sum(_delete(file, until) for name in names for file in _files(_root() / name))


def _delete(file: "os.DirEntry[str]", until: int) -> bool:
    """Delete a file unless it was used after that minute; who reads it just now has it open."""
    with suppress(OSError):
        if os.stat(file.path).st_mtime // MINUTE <= until:  # noqa: PTH116 - of now
            os.unlink(file.path)  # noqa: PTH108
            return True
    return False


def _files(folder: Path | str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield from _files(entry.path)
            elif entry.name not in {LOCK, USE}:
                yield entry


def _is_fresh() -> bool:
    """Whether anybody has looked lately."""
    with suppress(OSError):
        return time.time() - (_root() / TILES / LOCK).stat().st_mtime < OFTEN
    return False


def _root() -> Path:
    return Path(settings.CACHE_ROOT)
