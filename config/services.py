"""The processes that Tessera consists of, next to its servers."""

import socket
import sys
from pathlib import Path

from config.servers.supervisor import Service

WEB_PROCESSES = 2
TASKS_AT_ONCE = 2
WORKER = ["-m", "celery", "-A", "config.celery", "worker", "-l", "INFO"]
WORKER += ["--without-gossip", "--without-mingle"]


def web(listener: socket.socket) -> list[Service]:
    """Return the web processes, which share a listening socket."""
    return [
        _python(
            f"web-{number}", "-m", "config.web", str(listener.fileno()), fds=(listener.fileno(),)
        )
        for number in range(1, WEB_PROCESSES + 1)
    ]


def worker(data_dir: Path) -> Service:
    """Return the worker of all tasks but generation, with the scheduler of periodic ones."""
    schedule = ["-B", "-s", str(data_dir / "beat-schedule")]
    options = ["-Q", "celery", "-c", str(TASKS_AT_ONCE), "-n", "worker@%h"]
    return _python("worker", *WORKER, *schedule, *options)


def sampler() -> Service:
    """Return the worker that generates pictures, one request at a time with its models loaded."""
    return _python("sampler", *WORKER, "-Q", "generate", "-P", "solo", "-n", "sampler@%h")


def _python(name: str, *arguments: str, fds: tuple[int, ...] = ()) -> Service:
    return Service(name, [sys.executable, *arguments], fds=fds)
