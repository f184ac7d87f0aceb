"""Try what a bucket refuses for the moment again, each time after a longer pause."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from labeling.buckets.errors import Unavailable

T = TypeVar("T")
ATTEMPTS = 6  # of which none has got any further than the one before
FIRST = 0.5  # seconds of the first pause …
LONGEST = 20.0  # … and of the longest


def patiently(call: Callable[[], T], *, progress: Callable[[], int] = lambda: 0) -> T:
    """Return what a call returns, once it does. Raises the last `Unavailable`.

    progress: how far it has got; whoever gets further is not given up.
    """
    failures, reached = 0, progress()
    while True:
        try:
            return call()
        except Unavailable:
            failures = 1 if progress() > reached else failures + 1
            reached = progress()
            if failures >= ATTEMPTS:
                raise
            pause(min(LONGEST, FIRST * 2 ** (failures - 1)) * random.uniform(0.5, 1.0))


def pause(seconds: float) -> None:
    """Wait before the next attempt."""
    time.sleep(seconds)
