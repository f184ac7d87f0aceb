"""The parts of an installation on many machines, and the supervisor that starts them again."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import switch

RESTART = 1.0  # seconds after its end in which a part is started again, as by systemd's units
FOREVER = float("inf")


@dataclass
class Part:
    """A program on a machine of its own."""

    name: str  # of the machine, too
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    as_user: tuple[str, ...] = ()  # a command that runs another one as somebody who is not root
    process: subprocess.Popen[bytes] | None = None
    due: float = 0.0  # when it is started next

    def start(self, log: Path) -> None:
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *self.as_user, *self.command],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.due = FOREVER

    def kill(self) -> None:
        """End all that runs on the machine, as if its plug were pulled."""
        for pid in pids(self.name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()


def pids(machine: str) -> list[int]:
    """Return the processes on a machine."""
    command = ["ip", "netns", "pids", machine]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(map(int, result.stdout.split()))


class Parts:
    """All parts; what has ended is started again."""

    def __init__(self, machines: list[str], logs: Path) -> None:
        self.machines = machines
        self._logs = logs
        self._parts: dict[str, Part] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def address(self, name: str) -> str:
        return switch.address(self.machines, name)

    def start(self, part: Part) -> None:
        """Start a part, and again whenever it ends."""
        with self._lock:
            self._parts[part.name] = part
            part.start(self._logs / f"{part.name}.log")

    def kill(self, name: str) -> None:
        """Kill a part, which comes back by itself."""
        with self._lock:
            part = self._parts[name]
            part.kill()
            part.due = time.monotonic() + RESTART

    def remove(self, name: str) -> None:
        """Kill a part for good."""
        with self._lock:
            self._parts.pop(name).kill()

    def signal(self, name: str, number: int) -> None:
        """Send a signal to all that runs on a machine."""
        for pid in pids(name):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def runs(self, name: str, word: bytes) -> bool:
        """Whether a process on a machine has a word in its command."""
        for pid in pids(name):
            with suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    return True
        return False

    def stop_all(self) -> None:
        """Kill everything for good."""
        with self._lock:
            for part in self._parts.values():
                part.kill()
            self._parts.clear()

    def _watch(self) -> None:
        while True:
            time.sleep(0.1)
            with self._lock:
                for part in self._parts.values():
                    if part.process and part.process.poll() is not None and part.due == FOREVER:
                        part.due = time.monotonic() + RESTART
                    if part.due <= time.monotonic():
                        part.start(self._logs / f"{part.name}.log")
