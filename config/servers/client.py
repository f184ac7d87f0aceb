"""Joining the embedded servers, for as long as they are needed, and starting them if need be."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.servers.paths import (
    ROOT,
    EmbeddedError,
    control_socket,
    make_data_dir,
    make_private,
    open_log,
    socket_dir,
)

PATIENCE = 120.0  # seconds for servers to start, recover or stop
CONFIGURED_BY = {"postgresql": "DATABASE_URL", "valkey": "CELERY_BROKER_URL"}

_keepers: list[subprocess.Popen[bytes]] = []  # started here; reaped once they have gone


def unconfigured() -> set[str]:
    """The servers that the environment does not name, which are therefore embedded."""
    return {name for name, variable in CONFIGURED_BY.items() if not os.environ.get(variable)}


def running(data_dir: Path) -> bool:
    """Whether the embedded servers of this data folder answer."""
    joined = _join(data_dir)
    if joined is None:
        return False
    joined[0].close()
    return True


@contextmanager
def ensure(data_dir: Path) -> Iterator[Callable[[], bool]]:
    """Join the servers of this data folder, or start them, for as long as this lasts.

    Gives a function that tells whether they still run. Raises `EmbeddedError`.
    """
    needed = unconfigured()
    if not needed:
        yield lambda: True
        return
    link, kept = _join_or_start(data_dir)
    try:
        if missing := needed - kept:
            raise EmbeddedError(
                f"The servers running on {data_dir} lack {' and '.join(sorted(missing))}: stop the "
                "copy that started them, or set DATABASE_URL and CELERY_BROKER_URL as it does."
            )
        yield lambda: not _hung_up(link)
    finally:
        _leave(link)


def _join(data_dir: Path) -> tuple[socket.socket, set[str]] | None:
    """A link to the keeper, and the names of what it keeps; None where there is no keeper."""
    folder = socket_dir(data_dir)
    if not os.path.lexists(folder):
        return None
    make_private(folder)
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(str(control_socket(data_dir)))
    except OSError:
        link.close()
        return None
    return _greeted(link)


def _greeted(link: socket.socket) -> tuple[socket.socket, set[str]] | None:
    """Read the keeper's line: `ready NAMES` or `error SENTENCE`; None if it is going away."""
    link.settimeout(PATIENCE)
    line = b""
    with suppress(OSError):
        while not line.endswith(b"\n") and (more := link.recv(4096)):
            line += more
    word, _, rest = line.decode().strip().partition(" ")
    if word == "ready":
        link.settimeout(None)
        return link, set(rest.split())
    link.close()
    if word == "error":
        raise EmbeddedError(rest)
    return None


def _join_or_start(data_dir: Path) -> tuple[socket.socket, set[str]]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        joined = _join(data_dir) or _start_keeper(data_dir)
        if joined:
            return joined
    raise EmbeddedError(f"The embedded servers do not stay up: see {data_dir}/logs.")


def _start_keeper(data_dir: Path) -> tuple[socket.socket, set[str]] | None:
    """Start a keeper with this process as its first user; None if another one was quicker."""
    make_data_dir(data_dir)
    link, keepers_end = socket.socketpair()
    with keepers_end, open_log(data_dir, "keeper") as log:
        fd = keepers_end.fileno()
        keeper = subprocess.Popen(
            [sys.executable, "-m", "config.servers.daemon", str(data_dir), str(fd)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[fd],
            start_new_session=True,  # Ctrl-C is for its users; it goes when they have gone
        )
    _keepers.append(keeper)
    joined = _greeted(link)
    if not joined and keeper.wait(PATIENCE):
        raise EmbeddedError(f"The embedded servers cannot start: see {data_dir}/logs/keeper.log.")
    return joined


def _leave(link: socket.socket) -> None:
    """Take leave; whoever leaves last waits until the servers have stopped."""
    with link, suppress(OSError):
        link.settimeout(PATIENCE)
        link.shutdown(socket.SHUT_WR)
        while link.recv(4096):
            pass
    for keeper in list(_keepers):
        with suppress(subprocess.TimeoutExpired):
            keeper.wait(timeout=0.5)
            _keepers.remove(keeper)


def _hung_up(link: socket.socket) -> bool:
    try:
        return link.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
