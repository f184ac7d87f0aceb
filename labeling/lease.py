"""Keep a lease while its holder works, in a long transaction too; and leases under a name."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

from django.db import Error, connection

from labeling import database_errors
from labeling.models import Leased, LeaseLost, NamedLease

logger = logging.getLogger(__name__)
T = TypeVar("T")
GIVEN_BACK_WITHIN = 60.0  # seconds in which a database that is away may be back
GIVE_BACK_EVERY = 1.0  # seconds between two tries
RENEWALS = 3  # within the duration of a lease
WAIT_SECONDS = 0.2  # between two looks at a lease that somebody else holds


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


def give_back(row: Leased, *, after: timedelta = timedelta(), **fields: object) -> None:
    """Give a lease back and set `fields`, as soon as the database takes that.

    after: until somebody else may take it. Raises LeaseLost, and the error of a database that is
    away for long.
    """
    until = time.monotonic() + GIVEN_BACK_WITHIN
    while True:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        try:
            row.postpone(after, **fields) if after else row.release(**fields)
        except Error as error:
            away = database_errors.why(error) and not connection.in_atomic_block
            if not away or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(GIVE_BACK_EVERY)


@contextmanager
def named(name: str) -> Iterator[bool]:
    """Hold the lease of a name during the block; yield False where somebody else holds it.

    No two processes hold it at once, on whatever machines. Raises LeaseLost at the end of the block
    if it has passed to somebody else, since this one could not renew it.
    """
    row = acquire_named(name)
    if row is None:
        yield False
        return
    try:
        with kept(row):
            yield True
    finally:
        with suppress(LeaseLost):
            row.release()


@contextmanager
def awaited(name: str) -> Iterator[None]:
    """Hold the lease of a name during the block, once nobody else does. Raises LeaseLost."""
    while True:
        with named(name) as held:
            if held:
                yield
                return
        time.sleep(WAIT_SECONDS)


def acquire_named(name: str, *, duration: timedelta | None = None) -> NamedLease | None:
    """Lease a name; return its row, or None where somebody else holds it."""
    NamedLease.objects.bulk_create([NamedLease(name=name)], ignore_conflicts=True)
    return NamedLease.objects.all().acquire(name, duration=duration)


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
