"""What is measured of a project is kept, and measured again by one process alone."""

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.core.cache import cache

from labeling import project_stats

KEY = "shapes-counted"
SECONDS = 10


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """Return the clock, which goes on by `clock.offset` seconds; nobody sleeps on it."""
    clock = SimpleNamespace(offset=0.0, monotonic=time.monotonic, sleep=lambda seconds: None)
    clock.time = lambda: time.time() + clock.offset
    monkeypatch.setattr(project_stats, "time", clock)
    cache.delete_many([KEY, f"{KEY}:measuring"])
    return clock


def measured(count: int) -> Callable[[], dict[str, int]]:
    return lambda: {"count": count}


def test_what_was_measured_is_kept_until_it_is_old(clock):
    assert project_stats.cached(KEY, measured(1), SECONDS) == {"count": 1}
    assert project_stats.cached(KEY, measured(2), SECONDS) == {"count": 1}
    clock.offset = SECONDS + 1
    assert project_stats.cached(KEY, measured(3), SECONDS) == {"count": 3}


def test_what_is_old_is_measured_by_one_alone_and_given_to_others_meanwhile(clock):
    project_stats.cached(KEY, measured(1), SECONDS)
    clock.offset = SECONDS + 1
    given = []

    def measure() -> dict[str, int]:
        given.append(project_stats.cached(KEY, measured(9), SECONDS))
        return {"count": 2}

    assert project_stats.cached(KEY, measure, SECONDS) == {"count": 2}
    assert given == [{"count": 1}]


def test_where_there_is_nothing_yet_others_wait_for_whoever_measures(clock):
    assert cache.add(f"{KEY}:measuring", True)

    def end(seconds: float) -> None:
        cache.delete(f"{KEY}:measuring")
        project_stats.cached(KEY, measured(1), SECONDS)

    clock.sleep = end
    assert project_stats.cached(KEY, measured(9), SECONDS) == {"count": 1}


def test_nobody_waits_for_long(clock, monkeypatch):
    monkeypatch.setattr(project_stats, "PATIENCE", 0)
    cache.add(f"{KEY}:measuring", True)
    assert project_stats.cached(KEY, measured(1), SECONDS) == {"count": 1}


def test_whoever_fails_to_measure_keeps_nobody_from_it(clock):
    with pytest.raises(ZeroDivisionError):
        project_stats.cached(KEY, lambda: {"count": 1 // 0}, SECONDS)
    assert project_stats.cached(KEY, measured(1), SECONDS) == {"count": 1}
