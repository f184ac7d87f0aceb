"""A real Celery worker, on the tests' database and broker."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from config import celery, servers, services
from config.servers.paths import log_path
from config.servers.supervisor import Service, Supervisor
from tests.waiting import wait_until

Worker = subprocess.Popen[bytes]


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Start a worker process and wait until it takes tasks; all are ended with the test.

    It takes further options and variables of the environment.
    """
    celery.app.control.purge()
    (tmp_path / "logs").mkdir()
    supervisor = Supervisor(data_dir=tmp_path, notify=print)
    url = servers.database_url(servers.data_dir(), name=connection.settings_dict["NAME"])

    def start(*options: str, **environment: str) -> Worker:
        service = Service(
            f"worker-{len(supervisor.services)}",
            [sys.executable, *services.WORKER, "-c", "1", *options],
            environment={"DATABASE_URL": url, **environment},
        )
        supervisor.start(service)
        assert service.process
        _wait_until_ready(service.process, log_path(tmp_path, service.name))
        return service.process

    yield start
    supervisor.stop()


@pytest.fixture
def worker(start_worker: Callable[..., Worker]) -> Worker:
    return start_worker()


def _wait_until_ready(worker: Worker, log: Path) -> None:
    """Wait until a worker takes tasks; a test fails at once with the log of one that died."""

    def why() -> str:
        return f"The worker did not start:\n{log.read_text(errors='replace')}"

    def is_ready() -> bool:
        if worker.poll() is not None:
            pytest.fail(why())
        return b" ready." in log.read_bytes()

    wait_until(is_ready, explain=why)
