"""The processes that Tessera consists of, next to its servers."""

import os
import socket
import sys
from collections.abc import Collection, Sequence

from config.servers.supervisor import Service

WEB_PROCESSES = 2
WEB_THREADS = 8  # of each web process
TASKS_AT_ONCE = 2
QUICK, LONG, DRAWING = ("celery",), ("io", "train", "train-gpu"), ("draw",)  # queues
CONNECTION_SECONDS = 60  # for which a connection to the database is kept for the next task
CELERY = ["-m", "celery", "--quiet", "-A", "config.celery"]  # no banner amid the log
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
    return _worker("worker", QUICK, "-c", str(TASKS_AT_ONCE), "-B")


def jobs() -> Service:
    """Return the worker of what takes long: imports, exports, snapshots and runs."""
    return _worker("jobs", LONG, "-c", str(TASKS_AT_ONCE))


def sampler() -> Service:
    """Return the worker that generates pictures, one request at a time with its models loaded."""
    return _worker("sampler", DRAWING, "-P", "solo")


def workers(
    queues: Collection[str], *, concurrency: int, beat: bool = False, options: Sequence[str] = ()
) -> list[Service]:
    """Return the workers of some queues, of which one does what is quick and another what is long.

    So nothing that is quick waits until a run has ended. concurrency: tasks at once of each; where
    there are several, the one that draws does one at a time, with its models loaded.
    """
    groups = [tuple(name for name in group if name in queues) for group in (QUICK, LONG, DRAWING)]
    groups = [group for group in groups if group]
    found = []
    for group in groups:
        words = ["-P", "solo"] if group == DRAWING and len(groups) > 1 else ["-c", str(concurrency)]
        name = f"worker-{os.getpid()}" + (f"-{group[0]}" if len(groups) > 1 else "")
        found.append(_worker(name, group, *words, *(["-B"] if beat else []), *options))
        beat = False
    return found


def beat() -> Service:
    """Return the scheduler of periodic tasks as a process of its own."""
    return _python("beat", *CELERY, "beat", "-l", "INFO", "--pidfile=")


def _worker(name: str, queues: Sequence[str], *options: str) -> Service:
    return _python(name, *WORKER, "-Q", ",".join(queues), "-n", f"{name}@%h", *options)


def _python(name: str, *arguments: str) -> Service:
    seconds = os.environ.get("DATABASE_CONNECTION_SECONDS") or str(CONNECTION_SECONDS)
    environment = {"DATABASE_CONNECTION_SECONDS": seconds}
    return Service(name, [sys.executable, *arguments], environment=environment)
