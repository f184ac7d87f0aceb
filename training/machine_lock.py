"""A lock on this machine, which the kernel releases when the process that holds it dies."""

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


@contextmanager
def acquire(purpose: str = "run") -> Iterator[bool]:
    """Hold the machine's lock for a purpose; yield False where another process holds it."""
    folder = settings.RUN_ROOT
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{purpose}-{socket.gethostname()}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
