"""The processes that Tessera consists of, next to its servers."""

import socket
import sys
from collections.abc import Sequence

from config.servers.supervisor import Service

WEB_PROCESSES = 2
WEB_THREADS = 8  # of each web process
TASKS_AT_ONCE = 2
CELERY = ["-m", "celery", "-A", "config.celery"]
WORKER = [*CELERY, "worker", "-l", "INFO", "--without-gossip", "--without-mingle"]


def web(
    listener: socket.socket,
    processes: int = WEB_PROCESSES,
    *,
    threads: int = WEB_THREADS,
    environment: dict[str, str] | None = None,
) -> list[Service]:
    """Return the web processes, which share a listening socket."""
    fd = listener.fileno()
    return [
        Service(
            f"web-{number}",
            [sys.executable, "-m", "config.web", str(fd), str(threads)],
            fds=(fd,),
            environment=dict(environment or {}),
        )
        for number in range(1, processes + 1)
    ]


def worker() -> Service:
    """Return the worker of what is quick, with the scheduler of periodic tasks."""
    return _worker("worker", "celery", "-B")


def jobs() -> Service:
    """Return the worker of what takes long: imports, exports, snapshots and runs."""
    return _worker("jobs", "io,train,train-gpu")


def sampler() -> Service:
    """Return the worker that generates pictures, one request at a time with its models loaded."""
    return _python("sampler", *WORKER, "-Q", "draw", "-P", "solo", "-n", "sampler@%h")


def some_worker(options: Sequence[str]) -> Service:
    """Return a worker with options of Celery's."""
    return _python("worker", *WORKER, *options)


def beat() -> Service:
    """Return the scheduler of periodic tasks as a process of its own."""
    return _python("beat", *CELERY, "beat", "-l", "INFO", "--pidfile=")


def _worker(name: str, queues: str, *options: str) -> Service:
    named = ["-Q", queues, "-c", str(TASKS_AT_ONCE), "-n", f"{name}@%h"]
    return _python(name, *WORKER, *named, *options)


def _python(name: str, *arguments: str) -> Service:
    return Service(name, [sys.executable, *arguments])
