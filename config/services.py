"""The processes that Tessera consists of, next to its servers."""

import socket
import sys

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


def worker() -> Service:
    """Return the worker of what is quick, with the scheduler of periodic tasks."""
    return _worker("worker", "celery", "-B")


def jobs() -> Service:
    """Return the worker of what takes long: imports, exports, snapshots and runs."""
    return _worker("jobs", "io,train,train-gpu")


def sampler() -> Service:
    """Return the worker that generates pictures, one request at a time with its models loaded."""
    return _python("sampler", *WORKER, "-Q", "draw", "-P", "solo", "-n", "sampler@%h")


def _worker(name: str, queues: str, *options: str) -> Service:
    named = ["-Q", queues, "-c", str(TASKS_AT_ONCE), "-n", f"{name}@%h"]
    return _python(name, *WORKER, *named, *options)


def _python(name: str, *arguments: str, fds: tuple[int, ...] = ()) -> Service:
    return Service(name, [sys.executable, *arguments], fds=fds)
