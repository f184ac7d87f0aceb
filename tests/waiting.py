"""Wait for what another process or thread does, instead of for a span of time."""

import time
from collections.abc import Callable

import pytest

LIMIT = 120.0


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
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(str(explain()))
        time.sleep(0.02)
