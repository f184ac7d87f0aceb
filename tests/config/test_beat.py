"""Any number of schedulers may run, and one of them at a time sends the periodic tasks."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from config import beat
from labeling.models import NamedLease

pytestmark = pytest.mark.django_db


class Clock:
    """The monotonic clock, which a test moves on."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(beat, "time", clock)
    monkeypatch.setattr(beat.connection, "close", lambda: None)  # the test's transaction is on it
    return clock


@pytest.fixture
def start() -> Iterator[Callable[[], beat.LeasedScheduler]]:
    """Start a scheduler of two tasks, as one process of many does."""
    app = Celery("periodic", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {
        "soon": {"task": "soon", "schedule": 5.0},
        "hourly": {"task": "hourly", "schedule": 3600.0},
    }
    yield lambda: beat.LeasedScheduler(app=app)
    app.close()


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, str]]:
    """Who sent which task."""
    sent: list[tuple[Any, str]] = []

    def note(self: Any, entry: Any, **options: Any) -> None:
        sent.append((self, entry.task))

    monkeypatch.setattr(beat.LeasedScheduler, "apply_entry", note)
    return sent


def make_due(scheduler: beat.LeasedScheduler, task: str) -> None:
    scheduler.schedule[task].last_run_at -= timedelta(hours=2)
    scheduler._heap = None


def test_celery_uses_it():
    assert f"{beat.__name__}:{beat.LeasedScheduler.__name__}" == settings.CELERY_BEAT_SCHEDULER


def test_of_two_schedulers_one_is_at_work(start, sent):
    first, second = start(), start()
    for scheduler in (first, second):
        make_due(scheduler, "soon")
    for _ in range(3):
        first.tick()
        assert second.tick() == beat.EVERY
    assert sent == [(first, "soon")]


def test_another_takes_over_from_one_that_died_within_its_lease(start, sent, clock):
    first, second = start(), start()
    first.tick()
    NamedLease.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    make_due(second, "soon")
    second.tick()
    second.tick()
    assert sent == [(second, "soon")]
    clock.now += beat.EVERY
    make_due(first, "soon")
    first.tick()
    first.tick()
    assert sent == [(second, "soon")]
    assert beat.DURATION.total_seconds() + beat.EVERY < 15


def test_whoever_takes_over_goes_on_where_the_other_stopped(start, sent):
    first, second = start(), start()
    first.tick()
    make_due(first, "hourly")
    first.tick()
    first.close()
    make_due(second, "hourly")  # it has run for two hours, and waited
    second.tick()
    second.tick()
    assert sent == [(first, "hourly")]


def test_a_scheduler_that_stops_leaves_the_lease_at_once(start):
    first, second = start(), start()
    first.tick()
    first.close()
    second.tick()
    assert second._lease is not None


def test_without_a_database_nothing_is_sent_for_longer_than_a_lease(
    start, sent, clock, monkeypatch
):
    scheduler = start()
    scheduler.tick()

    def fail(*arguments: object, **options: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(NamedLease, "renew", fail)
    clock.now += beat.DURATION.total_seconds()
    make_due(scheduler, "soon")
    assert scheduler.tick() == beat.EVERY
    assert sent == []


def test_without_a_broker_nothing_counts_as_sent(start, sent, monkeypatch):
    scheduler = start()
    make_due(scheduler, "soon")
    monkeypatch.setattr(scheduler, "_has_broker", lambda: False)
    assert scheduler.tick() == beat.EVERY
    assert sent == []
