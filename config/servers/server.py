"""A server process that works in the data folder and dies with the process that started it."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from config.servers.paths import EmbeddedError, log_end, log_path, open_log

PATIENCE = 60.0  # seconds to recover and answer, or to stop
ORPHAN_GRACE = 10.0  # seconds for what a killed server left behind to end by itself


class Server(ABC):
    """The process of one server, which can be started again after it died.

    Whoever starts it holds the data folder's lock: what an earlier process left behind is stale.
    """

    name: ClassVar[str]
    programs: ClassVar[frozenset[str]]  # the names its process may have
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / self.name
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make the files that the server needs, and remove those that are stale."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line; its working directory becomes the server's folder."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server answers."""

    def start(self) -> None:
        """Start the process, or another after it died, and wait until it answers.

        Raises `EmbeddedError`.
        """
        if self.process is not None:
            self.process.wait()
        self._end_orphans()
        self.prepare()
        with open_log(self.data_dir, self.name) as log:
            self.process = subprocess.Popen(
                self.command(),
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_until_it_answers(self.process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the process cleanly, or kill it."""
        if self.process is None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def failed(self) -> EmbeddedError:
        """Return the error that says why the server did not start."""
        end = log_end(self.data_dir, self.name, lines=1).strip().rstrip(".")
        path = log_path(self.data_dir, self.name)
        return EmbeddedError(f"{self.name} did not start ({end}): see {path}.")

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise self.failed()
            time.sleep(0.02)

    def _end_orphans(self) -> None:
        """Wait for processes of a server that was killed, and kill those that stay."""
        kill_at = time.monotonic() + ORPHAN_GRACE
        while pids := self._orphans():
            if time.monotonic() > kill_at + PATIENCE:
                raise EmbeddedError(f"Processes {pids} still use {self.folder}: end them.")
            if time.monotonic() > kill_at:
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def _orphans(self) -> list[int]:
        return [pid for pid in working_in(self.folder) if _name(pid) in self.programs]


def working_in(folder: Path) -> list[int]:
    """Return the ids of the processes whose working directory is the folder."""
    pids = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == folder:
                pids.append(int(link.parent.name))
    return pids


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def environment() -> dict[str, str]:
    """Return the environment of a server, which no setting of the user reaches."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
