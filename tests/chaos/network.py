"""The switch as a child process, and this process on one of its machines."""

import os
import subprocess
import sys

from tests.chaos import switch


class Network:
    """Machines joined by a switch, until it is closed."""

    def __init__(self, machines: list[str], *, delay: float, loss: float) -> None:
        """delay: seconds from one machine to another. loss: share of packets."""
        command = [sys.executable, "-m", "tests.chaos.switch", str(delay), str(loss), *machines]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        if self._process.stdout.readline().strip() != "ready":
            raise OSError("The network cannot be made: it takes the rights of root, and ip.")

    def cut(self, one: str, other: str) -> None:
        """Let no packet pass between two machines."""
        self._tell(f"cut {one} {other}")

    def mend(self) -> None:
        """Let all packets pass again."""
        self._tell("mend")

    def calm(self) -> None:
        """From now on, delay and lose nothing."""
        self._tell("calm")

    def _tell(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()


def stand_on(machine: str) -> None:
    """Let this process, and all that it starts, be on a machine."""
    switch.enter(os.open(switch.NAMESPACES / machine, os.O_RDONLY))
