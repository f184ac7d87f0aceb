"""Keep a lease while its holder works, in a long transaction too; and leases under a name."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
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
    """Renew the row's lease during the block (`all_kept`).

    Raises LeaseLost at the end of the block if the lease has passed to somebody else.
    """
    hidden = connection.in_atomic_block
    with all_kept(lambda: [row], row.lease_duration):
        yield
    if not hidden:
        row.renew()


@contextmanager
def all_kept(rows: Callable[[], Iterable[Leased]], duration: timedelta) -> Iterator[None]:
    """Renew leases from a thread, which has a connection of its own, during the block.

    A renewal inside the block's own transaction would be seen by nobody before it ends. Within a
    transaction that began earlier, which hides the rows themselves from other connections, do
    nothing. rows: those that are held at the moment. duration: of their leases. One that has passed
    to somebody else is left to them: whoever writes under it will see.
    """
    if connection.in_atomic_block:
        yield
        return
    done = threading.Event()
    arguments = rows, duration.total_seconds() / RENEWALS, done
    thread = threading.Thread(target=_renew_until, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


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


def _renew_until(
    rows: Callable[[], Iterable[Leased]], seconds: float, done: threading.Event
) -> None:
    lost: set[str] = set()
    try:
        while not done.wait(seconds):
            for row in rows():
                token = row.lease_token  # empty once it is released
                if token and token not in lost and not _renew(row):
                    lost.add(token)
    finally:
        connection.close()


def _renew(row: Leased) -> bool:
    """Renew a lease; return whether it is still held, as far as is known."""
    try:
        row.renew()
    except LeaseLost:
        logger.warning("The lease of %s has passed to somebody else.", row)
        return False
    except Error:
        logger.exception("The lease of %s could not be renewed.", row)
        connection.close()
    return True


def now_and_then(call: Callable[[T], None], *, seconds: float) -> Callable[[T], None]:
    """Return a function that passes its argument on, but not more often than once in so long."""
    last = time.monotonic()

    def pass_on(value: T) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            call(value)

    return pass_on
