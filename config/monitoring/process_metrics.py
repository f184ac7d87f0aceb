"""What the processes of one host count: answers over HTTP, tasks, challenges, connections.

Each process writes to files of its own in `METRICS_ROOT`, a folder a host; whoever is asked reads
them all. The files of processes that ended are added up in those of "process 0", so that no count
is lost and the number of files stays small.
"""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

FOLDER = Path(settings.METRICS_ROOT) / socket.gethostname()
try:
    FOLDER.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(
        f"Metrics cannot be counted in {FOLDER} ({error.strerror}): set DATA_DIR to a folder that"
        " can be written."
    ) from error
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)  # read when the library is imported

from prometheus_client import Counter, Gauge, Histogram, values  # noqa: E402

from config.monitoring.metrics_file import MetricsFile  # noqa: E402

setattr(values, "MmapedDict", MetricsFile)  # noqa: B010
_file: Any = MetricsFile  # whose base has no types

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
ENDED = 0  # stands for all processes that have ended
ADDED_UP = ("counter", "histogram")  # kinds of files
POOL_SECONDS = 1.0  # how often a process looks at its pool

REQUESTS = Histogram(
    "tessera_http_request_duration_seconds",
    "From a request's arrival at the process to its answer, by the name of the view.",
    ["view", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
TASKS = Histogram(
    "tessera_task_duration_seconds",
    "Of the tasks that workers ended, by name and state.",
    ["task", "state"],
    buckets=(0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200),
)
POOL_SIZE = Gauge(
    "tessera_database_pool_connections",
    "Connections of the web processes' pools.",
    ["state"],
    multiprocess_mode="livesum",
)
POOL_WAITING = Gauge(
    "tessera_database_pool_waiting",
    "Threads that wait for a connection of a pool.",
    multiprocess_mode="livesum",
)
EVENTS = {
    "challenges": Counter(
        "tessera_challenges_total", "Challenges, by what became of them.", ["kind", "outcome"]
    ),
    "captcha_attempts": Counter(
        "tessera_captcha_attempts_total", "Attempts at other sites, by what became of them.",
        ["door", "outcome"],
    ),
    "sign_ins": Counter("tessera_sign_ins_total", "Attempts to sign in.", ["way", "outcome"]),
}  # fmt: skip

_pool_lock = threading.Lock()
_pool_seen = 0.0


def observe(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    """Count an answer. Views have names, and there are few; paths there are any number."""
    match = request.resolver_match
    view = match.view_name or match._func_path if match else "none"
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(view, method, str(response.status_code)).observe(seconds)
    _look_at_pool()


def observe_task(name: str, state: str, seconds: float) -> None:
    """Count a task that ended."""
    TASKS.labels(name, state or "UNKNOWN").observe(seconds)


def count(event: str, labels: Mapping[str, str]) -> None:
    """Count an event of `labeling.counters`."""
    EVENTS[event].labels(**labels).inc()


@contextmanager
def reading() -> Iterator[Path]:
    """Give the folder, in which nothing is added up meanwhile."""
    with _locked():
        yield FOLDER


def add_up() -> None:
    """Add what ended processes of this host have counted to the files of process 0."""
    with _locked():
        for path in sorted(FOLDER.glob("*_*.db")):
            kind, number = path.stem.split("_")[0], path.stem.rpartition("_")[2]
            if not number.isdigit() or int(number) == ENDED or _runs(int(number)):
                continue
            if kind in ADDED_UP:
                _add(path, FOLDER / f"{kind}_{ENDED}.db")
            path.unlink(missing_ok=True)


def _add(source: Path, target: Path) -> None:
    sums = _file(str(target))
    try:
        for key, value, _time, _at in _file.read_all_values_from_file(str(source)):
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
    finally:
        sums.close()


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _locked() -> Iterator[None]:
    with (FOLDER / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _look_at_pool() -> None:
    """Note how many connections the pool has, at most once a second."""
    global _pool_seen
    pool = getattr(connection, "pool", None)
    now = time.monotonic()
    if not pool or now - _pool_seen < POOL_SECONDS or not _pool_lock.acquire(blocking=False):
        return
    try:
        _pool_seen = now
        stats = pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        POOL_SIZE.labels("used").set(size - idle)
        POOL_SIZE.labels("idle").set(idle)
        POOL_WAITING.set(stats.get("requests_waiting", 0))
    finally:
        _pool_lock.release()
