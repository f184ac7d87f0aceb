"""Keep a lease while the holder is inside one long transaction."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import Error, connection

from labeling.models import Leased, LeaseLost

logger = logging.getLogger(__name__)
T = TypeVar("T")
RENEWALS = 3  # within the duration of a lease


@contextmanager
def kept(row: Leased) -> Iterator[None]:
    """Renew the row's lease from a thread, which has a connection of its own, during the block.

    A renewal inside the block's own transaction would be seen by nobody before it ends. Within a
    transaction that began earlier, which hides the row itself from other connections, do nothing.
    Raises LeaseLost at the end of the block if the lease has passed to somebody else.
    """
    if connection.in_atomic_block:
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_renew_until, args=(row, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    row.renew()


def _renew_until(row: Leased, done: threading.Event) -> None:
    try:
        while not done.wait(row.lease_duration.total_seconds() / RENEWALS):
            try:
                row.renew()
            except Error:
                logger.exception("The lease of %s could not be renewed.", row)
                connection.close()
    except LeaseLost:
        logger.warning("The lease of %s has passed to somebody else.", row)
    finally:
        connection.close()


def now_and_then(call: Callable[[T], None], *, seconds: float) -> Callable[[T], None]:
    """Return a function that passes its argument on, but not more often than once in so long."""
    last = time.monotonic()

    def pass_on(value: T) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            call(value)

    return pass_on
