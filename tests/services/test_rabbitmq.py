"""RabbitMQ as the broker: its death loses nothing, and nobody waits for it."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Task
from kombu import pools

from config.celery import app
from config.servers.paths import log_path
from labeling import enqueue, tasks
from tests.services.rabbitmq import RabbitMQ
from tests.waiting import wait_until
from tests.worker import Worker

LONGEST = 5.0  # seconds that a request may wait for the broker


@pytest.fixture(autouse=True)
def broker(rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitMQ]:
    """Let this process send its messages by RabbitMQ."""
    monkeypatch.setattr(enqueue, "_away_until", 0.0)
    earlier = app.conf.broker_write_url, app.conf.broker_transport_options
    app.conf.update(broker_write_url=rabbitmq.url, broker_transport_options={"max_retries": 1})
    _forget_connections()
    yield rabbitmq
    app.conf.update(broker_write_url=earlier[0], broker_transport_options=earlier[1])
    _forget_connections()
    if not rabbitmq.answers():
        rabbitmq.start()


def _forget_connections() -> None:
    pools.reset()
    app._pool = app.amqp._producer_pool = None


@pytest.fixture
def worker(start_worker: Callable[..., Worker], broker: RabbitMQ) -> Worker:
    return start_worker(CELERY_BROKER_URL=broker.url)


def send(task: "Task[..., None]") -> float:
    """Send a task; return the seconds that took."""
    begun = time.monotonic()
    enqueue._send(task, (), "")
    return time.monotonic() - begun


def done(folder: Path, task: "Task[..., None]") -> int:
    """How often a worker's log says that a task was done."""
    lines = log_path(folder, "worker-0").read_text().splitlines()
    return sum(f"{task.name}[" in line and "] succeeded" in line for line in lines)


def test_a_worker_takes_all_queues_by_rabbitmq(worker: Worker, tmp_path: Path) -> None:
    for task in (tasks.aggregate_due, tasks.make_due_exports):
        send(task)
        wait_until(lambda task=task: done(tmp_path, task))


def test_a_worker_is_back_soon_after_rabbitmq_was_killed(
    worker: Worker, broker: RabbitMQ, tmp_path: Path
) -> None:
    send(tasks.aggregate_due)
    wait_until(lambda: done(tmp_path, tasks.aggregate_due) == 1)
    broker.stop()
    assert send(tasks.aggregate_due) < LONGEST
    broker.start()
    enqueue._away_until = 0.0
    assert send(tasks.aggregate_due) < LONGEST
    wait_until(lambda: done(tmp_path, tasks.aggregate_due) >= 2, limit=15)
    assert worker.poll() is None


def test_nobody_waits_for_a_rabbitmq_that_hangs(broker: RabbitMQ) -> None:
    send(tasks.aggregate_due)
    broker.signal(signal.SIGSTOP)
    try:
        assert send(tasks.aggregate_due) < LONGEST  # on the connection that there is
        _forget_connections()
        enqueue._away_until = 0.0
        assert send(tasks.aggregate_due) < LONGEST  # on a new one
        assert enqueue._away_until
        assert send(tasks.aggregate_due) < 0.1  # and not again at once
    finally:
        broker.signal(signal.SIGCONT)
