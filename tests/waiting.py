"""Wait for what another process or thread does, instead of for a span of time."""

import time
from collections.abc import Callable

import pytest

LIMIT = 120.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.05


def wait_until(
    condition: Callable[[], object],
    *,
    explain: Callable[[], object] = lambda: "It never came about.",
    limit: float = LIMIT,
) -> None:
    """Return once the condition holds.

    After `limit` seconds, which only a failure ever needs, fail the test with an explanation.
    """
    deadline = time.monotonic() + limit
    pause = SHORTEST_PAUSE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(str(explain()))
        time.sleep(pause)
        pause = min(1.05 * pause, LONGEST_PAUSE)  # who waits for long may wait a little longer


def wait_until_somebody_waits() -> None:
    """Return once another connection to the test database waits for a lock."""
    wait_until(_somebody_waits, explain=lambda: "Nobody waits for a lock.")


def _somebody_waits() -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
