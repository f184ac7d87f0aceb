"""The process that keeps the embedded servers of one data folder while anybody uses them.

    python -m config.servers.daemon DATA_DIR FD

`FD` is a socket to its first user; the others come by the control socket. Each is told `ready` and
what is kept. A link that is closed from here says: the servers have stopped, or others go on.
"""

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from config.servers import pair
from config.servers.client import running, unconfigured
from config.servers.paths import (
    EmbeddedError,
    control_socket,
    in_use,
    make_data_dir,
    make_private,
    socket_dir,
)

PATIENCE = 60.0  # seconds for another keeper to be ready, or gone


class AlreadyKeptError(Exception):
    """Another keeper was quicker."""


def keep(data_dir: Path, first: socket.socket) -> None:
    """Run the servers until the first user and all who joined later have gone."""
    links = [first]  # the last one stays open until the servers have stopped
    try:
        with _lock(data_dir) as lock:
            sockets = socket_dir(data_dir)
            make_private(sockets)
            with pair.started(data_dir, unconfigured()) as processes:
                _serve(data_dir, lock, links, processes)
            shutil.rmtree(sockets, ignore_errors=True)
    except AlreadyKeptError:
        pass
    except EmbeddedError as error:
        _tell(first, f"error {error}\n")


@contextmanager
def _lock(data_dir: Path) -> Iterator[int]:
    """The data folder's lock, waiting for a keeper that is just starting or stopping."""
    make_data_dir(data_dir)
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PATIENCE
    try:
        while not _locked(lock):
            kept_somewhere = os.pread(lock, 5, 0) == b"ready"
            if running(data_dir):
                raise AlreadyKeptError
            if kept_somewhere and os.pread(lock, 5, 0) == b"ready":
                raise in_use(data_dir)  # by a keeper that cannot be reached from here
            if time.monotonic() > deadline:
                raise in_use(data_dir)
            time.sleep(0.1)
        os.ftruncate(lock, 0)
        yield lock
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _serve(
    data_dir: Path, lock: int, links: list[socket.socket], processes: list[subprocess.Popen[bytes]]
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control_socket(data_dir)))
        listener.listen(64)
        os.pwrite(lock, b"ready", 0)
        try:
            _attend(listener, links, processes)
        finally:
            os.ftruncate(lock, 0)


def _attend(
    listener: socket.socket, links: list[socket.socket], processes: list[subprocess.Popen[bytes]]
) -> None:
    """Greet who comes and see off who goes; return with the last one, or when a server dies."""
    greeting = f"ready {' '.join(sorted(unconfigured()))}\n"
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(os.pidfd_open(process.pid), selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        selector.register(links[0], selectors.EVENT_READ)
        _tell(links[0], greeting)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    links.append(listener.accept()[0])
                    selector.register(links[-1], selectors.EVENT_READ)
                    _tell(links[-1], greeting)
                elif not isinstance(key.fileobj, socket.socket):
                    print("A server died.", flush=True)
                    return
                elif _gone(key.fileobj):
                    if len(links) == 1:
                        return
                    selector.unregister(key.fileobj)
                    links.remove(key.fileobj)
                    key.fileobj.close()


def _gone(link: socket.socket) -> bool:
    try:
        return not link.recv(4096)
    except OSError:
        return True


def _tell(link: socket.socket, line: str) -> None:
    with suppress(OSError):
        link.sendall(line.encode())


def main(data_dir: str, fd: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep(Path(data_dir), socket.socket(fileno=int(fd)))


if __name__ == "__main__":
    main(*sys.argv[1:])
