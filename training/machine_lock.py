"""Locks on this machine, which the kernel releases when the process that holds them dies."""

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from django.conf import settings


def take(purpose: str) -> IO[bytes] | None:
    """Return the open file that is the machine's lock for a purpose; None where it is held."""
    folder = Path(settings.CACHE_ROOT) / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / f"{quote(purpose, safe='')}-{socket.gethostname()}.lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextmanager
def acquire(purpose: str) -> Iterator[bool]:
    """Hold the machine's lock for a purpose; yield False where another process holds it."""
    lock = take(purpose)
    if lock is None:
        yield False
        return
    with lock:
        yield True
