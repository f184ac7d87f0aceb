"""A real RabbitMQ on ports of its own."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.waiting import wait_until


class RabbitMQ:
    """The server, with a port mapper for it alone; both end with `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, mapper, distribution = _free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.configuration = folder / "rabbitmq.conf"
        self.configuration.write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        self.environment = os.environ | {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper),
            "RABBITMQ_CONFIG_FILE": str(self.configuration),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder),
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "out.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self.answers, explain=(self.folder / "out.log").read_text)

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(client.recv(1))
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send the server, and what it started, a signal."""
        assert self.process
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """Kill it: what it held is lost, as far as it was not on the disk."""
        assert self.process
        self.signal(signal.SIGKILL)
        self.process.wait()
        wait_until(self._end_mapper)

    def _end_mapper(self) -> bool:
        """End the port mapper, which refuses until it has noticed that the server is gone."""
        command = ["epmd", "-kill"]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        return b"Killed" in done.stdout + done.stderr


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
