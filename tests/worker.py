"""A real Celery worker, on the tests' database and broker."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from labeling import celery, embedded
from labeling.embedded.child import bound

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
Worker = subprocess.Popen[bytes]


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    """Start a worker process and wait until it takes tasks; all are ended with the test."""
    celery.app.control.purge()
    workers: list[Worker] = []

    def start() -> Worker:
        log = tmp_path / f"worker-{len(workers)}.log"
        workers.append(_start(log))
        _wait_until_ready(workers[-1], log)
        return workers[-1]

    yield start
    for worker in workers:
        _end(worker)


@pytest.fixture
def worker(start_worker: Callable[[], Worker]) -> Worker:
    return start_worker()


def _start(log: Path) -> Worker:
    url = embedded.database_url(embedded.data_dir(), name=connection.settings_dict["NAME"])
    command = [sys.executable, "-m", "celery", "-A", "labeling.celery", "worker", "-c", "1"]
    with log.open("wb") as output:
        return subprocess.Popen(
            bound([*command, "-l", "INFO", "--without-gossip", "--without-mingle"]),
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def _wait_until_ready(worker: Worker, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while b" ready." not in log.read_bytes():
        if worker.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"The worker did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def _end(worker: Worker) -> None:
    worker.terminate()
    try:
        worker.wait(20)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
