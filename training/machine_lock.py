"""One run at a time a machine: a lock that the kernel lets go of when its holder dies."""

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


@contextmanager
def alone(purpose: str = "run") -> Iterator[bool]:
    """Whether this process is the only one on its machine that does this, while it lasts."""
    folder = settings.RUN_ROOT
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{purpose}-{socket.gethostname()}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
