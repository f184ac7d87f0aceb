"""Use the embedded servers for as long as they are needed, starting them if need be."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.places import ROOT
from config.servers.paths import (
    EmbeddedError,
    control_socket,
    log_path,
    make_data_dir,
    make_socket_dir,
    open_log,
    socket_dir,
)

PATIENCE = 120.0  # seconds for servers to start, recover or stop
CONFIGURED_BY = {"postgresql": "DATABASE_URL", "valkey": "CELERY_BROKER_URL"}

_daemons: list[subprocess.Popen[bytes]] = []  # started here; reaped once they have ended


def unconfigured() -> set[str]:
    """Return the servers that the environment does not name, which are therefore embedded."""
    return {
        name
        for name, variable in CONFIGURED_BY.items()
        if not os.environ.get(variable) and not os.environ.get(variable + "_FILE")
    }


def running(data_dir: Path) -> bool:
    """Whether the embedded servers of this data folder answer."""
    connection = _connect(data_dir)
    if connection is None:
        return False
    connection[0].close()
    return True


class Client:
    """A process's use of the embedded servers, which run while any client is connected."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._connection: socket.socket | None = None

    def connect(self) -> None:
        """Connect to the daemon, starting it unless it runs. Raises `EmbeddedError`."""
        needed = unconfigured()
        if not needed:
            return
        self.close()
        self._connection, names = _connect_or_start(self._data_dir)
        if missing := needed - names:
            self.close()
            raise EmbeddedError(
                f"The servers running on {self._data_dir} lack {' and '.join(sorted(missing))}: "
                "stop the copy that started them, or set DATABASE_URL and CELERY_BROKER_URL as it "
                "does."
            )

    def is_connected(self) -> bool:
        """Whether the daemon still runs; always true of servers that the environment names."""
        return self._connection is None or not _is_closed(self._connection)

    def close(self) -> None:
        """Close the connection; the last client waits until the servers have stopped."""
        if self._connection is not None:
            _leave(self._connection)
            self._connection = None


@contextmanager
def ensure(data_dir: Path) -> Iterator[Client]:
    """Use the servers of this data folder while this lasts; start them unless they run.

    Raises `EmbeddedError`.
    """
    client = Client(data_dir)
    client.connect()
    try:
        yield client
    finally:
        client.close()


def _connect(data_dir: Path) -> tuple[socket.socket, set[str]] | None:
    """Return a connection to the daemon and the names of its servers; None without a daemon."""
    if not os.path.lexists(socket_dir(data_dir)):
        return None
    make_socket_dir(data_dir)  # or refuse what somebody else put there
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(control_socket(data_dir)))
    except OSError:
        connection.close()
        return None
    return _read_greeting(connection)


def _read_greeting(connection: socket.socket) -> tuple[socket.socket, set[str]] | None:
    """Read `ready NAMES`, or raise `error SENTENCE`; return None if the daemon is going away."""
    connection.settimeout(PATIENCE)
    line = b""
    with suppress(OSError):
        while not line.endswith(b"\n") and (part := connection.recv(4096)):
            line += part
    word, _, rest = line.decode().strip().partition(" ")
    if word == "ready":
        connection.settimeout(None)
        return connection, set(rest.split())
    connection.close()
    if word == "error":
        raise EmbeddedError(rest)
    return None


def _connect_or_start(data_dir: Path) -> tuple[socket.socket, set[str]]:
    make_data_dir(data_dir)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection = _connect(data_dir) or _start_daemon(data_dir)
        if connection:
            return connection
    raise EmbeddedError(f"The embedded servers do not stay up: see {data_dir}/logs.")


def _start_daemon(data_dir: Path) -> tuple[socket.socket, set[str]] | None:
    """Start a daemon with this process as its first client; None if another one was quicker."""
    ours, theirs = socket.socketpair()
    with theirs, open_log(data_dir, "daemon") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "config.servers.daemon", str(data_dir), str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for its clients; it ends when they have left
        )
    _daemons.append(daemon)
    try:
        connection = _read_greeting(ours)
    except EmbeddedError:
        raise
    except BaseException:  # an interruption, which a daemon that is still starting would not notice
        daemon.terminate()
        daemon.wait(PATIENCE)
        raise
    if connection is None and not _ended_well(daemon):
        raise EmbeddedError(
            f"The embedded servers cannot start: see {log_path(data_dir, 'daemon')}."
        )
    return connection


def _ended_well(daemon: subprocess.Popen[bytes]) -> bool:
    """Whether a daemon that greeted nobody ends by itself, since another one runs."""
    try:
        return daemon.wait(PATIENCE) == 0
    except subprocess.TimeoutExpired:
        daemon.kill()  # its servers die with it
        return False


def _leave(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.settimeout(PATIENCE)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    for daemon in list(_daemons):
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(timeout=0.5)
            _daemons.remove(daemon)


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
