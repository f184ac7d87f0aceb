"""Child processes that are watched, restarted when they die, and stopped together."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from config.places import ROOT
from config.servers.paths import log_end, log_path, open_log
from config.servers.restarts import Restarts
from labeling.processes import bound

GRACE = 4.0  # seconds to finish what a service is doing, and to drop it


class SupervisorError(Exception):
    """A service cannot be kept running; the message names it and ends with its log."""


@dataclass
class Service:
    """A command, and the process that runs it now."""

    name: str
    command: list[str]
    fds: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    restarts: Restarts = field(default_factory=Restarts)
    process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """Runs services. Should it be killed, so are they.

    Their logs lie in the data folder, unless they write where this process does (not `logs`).
    When they are stopped, they have `grace` seconds to finish, and a few to drop what they do.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        notify: Callable[[str], None],
        logs: bool = True,
        grace: float = GRACE,
    ) -> None:
        self.data_dir = data_dir
        self.notify = notify
        self.logs = logs
        self.grace = grace
        self.services: list[Service] = []

    def start(self, service: Service) -> None:
        """Start a service, which is watched from now on."""
        if service not in self.services:
            self.services.append(service)
        with open_log(self.data_dir, service.name) if self.logs else nullcontext() as log:
            service.process = subprocess.Popen(
                bound(service.command),
                cwd=ROOT,
                env=os.environ | service.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=service.fds,
                start_new_session=True,  # Ctrl-C is the supervisor's
            )

    def check(self) -> None:
        """Restart what has died, and report it. Raises SupervisorError when it keeps dying."""
        for service in self.services:
            if service.process is None or service.process.poll() is None:
                continue
            report = f"The {service.name} process died."
            if self.logs and (end := log_end(self.data_dir, service.name, lines=15).strip()):
                report += f" The end of its log:\n{end}"
            if not service.restarts.allow_another():
                see = f": see {log_path(self.data_dir, service.name)}" if self.logs else ""
                raise SupervisorError(f"{report}\nIt keeps dying, so everything stops{see}.")
            self.notify(f"{report}\nIt is started again.")
            _kill_group(service.process)  # whatever it left
            self.start(service)

    def stop(self) -> None:
        """Ask all to end, then insist, then kill."""
        running = [service.process for service in self.services if service.process]
        for request, seconds in ((signal.SIGTERM, self.grace), (signal.SIGQUIT, GRACE)):
            for process in running:
                if process.poll() is None:
                    process.send_signal(request)
            _wait(running, seconds)
        for process in running:
            _kill_group(process)
            process.wait()


def _wait(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(process.poll() is None for process in processes):
        time.sleep(0.05)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the session that the process led."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
