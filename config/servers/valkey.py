"""Valkey: the broker, on a unix socket, with an append-only file."""

import shutil
import signal
import socket

from config.servers.paths import EmbeddedError, valkey_socket
from config.servers.programs import find_valkey
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
        return bound([find_valkey(), *options], at_death=signal.SIGTERM)

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
