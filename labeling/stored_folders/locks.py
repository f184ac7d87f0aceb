"""Locks of files, which end with whoever holds them: of processes and threads of one machine."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Shared:
    """A lock that is shared until it is closed, or forgotten with its thread."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def __del__(self) -> None:
        os.close(self._file)


class _Held(threading.local):
    """What this thread keeps from being deleted, by the paths of the locks."""

    def __init__(self) -> None:
        self.locks: dict[Path, _Shared] = {}


_held = _Held()


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock, once whoever holds it has given it back."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def exclusive_now(path: Path) -> Iterator[bool]:
    """Hold a lock if nobody else does; yield whether it is held."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def keep(path: Path) -> None:
    """Share a lock with others until this thread ends, or calls `release`."""
    if path not in _held.locks:
        _held.locks[path] = _Shared(path)


def release(**_: object) -> None:
    """Give back what this thread keeps: its request or task is done."""
    _held.locks.clear()
