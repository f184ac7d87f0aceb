"""The process that runs the embedded servers of one data folder while anybody uses them.

    python -m config.servers.daemon DATA_DIR FD

`FD` is a socket to its first client; others connect to the control socket. Each gets a line:
`ready` and the servers' names, or `error` and a sentence. A server that dies is started again. When
the last client has closed its connection, the daemon stops the servers and closes its side of it.
"""

import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import partial
from pathlib import Path

from config.servers.client import running, unconfigured
from config.servers.paths import (
    EmbeddedError,
    control_socket,
    in_use,
    make_socket_dir,
    private_umask,
    socket_dir,
)
from config.servers.postgresql import PostgreSQL
from config.servers.restarts import Restarts
from config.servers.server import Server
from config.servers.valkey import Valkey

PATIENCE = 60.0  # seconds for another daemon to be ready, or gone
SERVERS: dict[str, type[Server]] = {"postgresql": PostgreSQL, "valkey": Valkey}


class AlreadyRunningError(Exception):
    """Another daemon was quicker."""


class Daemon:
    """Running servers, and connections to the clients who use them."""

    def __init__(
        self, servers: list[Server], listener: socket.socket, first: socket.socket
    ) -> None:
        self._servers = servers
        self._listener = listener
        self._clients = [first]
        self._last: socket.socket | None = None  # stays open until the servers have stopped
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Greet clients and restart servers until the last client has left.

        Raises `EmbeddedError` for a server that keeps dying.
        """
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        for server in self._servers:
            self._watch(server, Restarts())
        self._greet(self._clients[0])
        while self._last is None:
            for key, _ in self._selector.select():
                key.data()

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        self._clients.append(client)
        self._greet(client)

    def _greet(self, client: socket.socket) -> None:
        self._selector.register(client, selectors.EVENT_READ, partial(self._read, client))
        _send(client, f"ready {' '.join(server.name for server in self._servers)}\n")

    def _read(self, client: socket.socket) -> None:
        """Notice that a client has left, which is all that it can say."""
        with suppress(OSError):
            if client.recv(4096):
                return
        self._selector.unregister(client)
        self._clients.remove(client)
        if self._clients:
            client.close()
        else:
            self._last = client

    def _watch(self, server: Server, restarts: Restarts) -> None:
        assert server.process
        exited = os.pidfd_open(server.process.pid)
        restart = partial(self._restart, server, restarts, exited)
        self._selector.register(exited, selectors.EVENT_READ, restart)

    def _restart(self, server: Server, restarts: Restarts, exited: int) -> None:
        self._selector.unregister(exited)
        os.close(exited)
        while restarts.allow_another():
            print(f"{server.name} died and is started again.", flush=True)
            try:
                server.start()
            except EmbeddedError as error:  # it died while it started
                print(error, flush=True)
                continue
            self._watch(server, restarts)
            return
        raise EmbeddedError(f"{server.name} keeps dying: see its log.")


def run(data_dir: Path, first: socket.socket) -> None:
    """Run the servers until the first client and all who connected later have left."""
    try:
        with (
            _locked(data_dir) as lock,
            _started(data_dir) as servers,
            _listening(data_dir, lock) as listener,
        ):
            daemon = Daemon(servers, listener, first)
            daemon.serve()
    except AlreadyRunningError:
        pass
    except EmbeddedError as error:
        print(error, flush=True)
        _send(first, f"error {error}\n")


@contextmanager
def _locked(data_dir: Path) -> Iterator[int]:
    """Hold the data folder's lock, after waiting for a daemon that is just starting or stopping."""
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PATIENCE
    try:
        while not _lock(lock):
            was_ready = os.pread(lock, 5, 0) == b"ready"
            if running(data_dir):
                raise AlreadyRunningError
            if was_ready and os.pread(lock, 5, 0) == b"ready":
                raise in_use(data_dir)  # by a daemon that cannot be reached from here
            if time.monotonic() > deadline:
                raise in_use(data_dir)
            time.sleep(0.1)
        os.ftruncate(lock, 0)
        yield lock
    finally:
        os.close(lock)


def _lock(lock: int) -> bool:
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _started(data_dir: Path) -> Iterator[list[Server]]:
    """Start the servers that the environment does not name, and stop them at the end."""
    make_socket_dir(data_dir)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, socket_dir(data_dir), ignore_errors=True)
        servers = [SERVERS[name](data_dir) for name in sorted(unconfigured())]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        yield servers


@contextmanager
def _listening(data_dir: Path, lock: int) -> Iterator[socket.socket]:
    """Listen on the control socket, and say so in the lock's file."""
    control_socket(data_dir).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control_socket(data_dir)))
        listener.listen(64)
        os.pwrite(lock, b"ready", 0)
        try:
            yield listener
        finally:
            os.ftruncate(lock, 0)


def _send(client: socket.socket, line: str) -> None:
    with suppress(OSError):
        client.sendall(line.encode())


def main(data_dir: str, fd: str) -> None:
    """Run the servers of a data folder for the client at the other end of a socket."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = Path(data_dir)
    private_umask(folder)
    run(folder, socket.socket(fileno=int(fd)))


if __name__ == "__main__":
    main(*sys.argv[1:])
