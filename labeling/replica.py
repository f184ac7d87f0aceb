"""Read from a replica what takes long and changes nothing, where `DATABASE_REPLICA_URL` names one.

Whoever reads here sees all that was committed before: the replica is waited for until it has that
too, for `DATABASE_REPLICA_SECONDS` at most. A replica that is away or too far behind is not asked
for a while; the database itself is.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

ALIAS = "replica"
AWAY_SECONDS = 5.0  # for which a replica that failed is not asked again
LOOK_EVERY = 0.02  # seconds

_HAS = """
SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)
"""

logger = logging.getLogger(__name__)
T = TypeVar("T")
_away_until: float | None = None  # of the monotonic clock; None: as far as is known, it is there


def read(work: Callable[[], T]) -> T:
    """Do work that only reads, on the replica or on the database itself; return its result.

    It is done again on the database itself where the replica fails in the middle.
    """
    try:
        with reading() as is_replica:
            return work()
    except (InterfaceError, OperationalError):
        if not is_replica:
            raise
    return work()


@contextmanager
def reading() -> Iterator[bool]:
    """Let everything in the block ask the replica in place of the database; yield whether it does.

    Within a transaction, which sees its own changes, it asks the database itself.
    """
    source, primary = connection(), connections[DEFAULT_DB_ALIAS]
    if source is primary:
        yield False
        return
    connections[DEFAULT_DB_ALIAS] = source
    try:
        yield True
    except (InterfaceError, OperationalError) as error:
        _note_away(error)
        raise
    finally:
        connections[DEFAULT_DB_ALIAS] = primary


def connection() -> BaseDatabaseWrapper:
    """Return the replica's connection if it has all that was committed, else the database's own."""
    primary = connections[DEFAULT_DB_ALIAS]
    if ALIAS not in connections.settings or primary.in_atomic_block or primary.alias == ALIAS:
        return primary
    if _away_until is not None and time.monotonic() < _away_until:
        return primary
    try:
        with primary.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_flush_lsn()::text")
            (position,) = cursor.fetchone()
        _wait_for(connections[ALIAS], position)
    except (InterfaceError, OperationalError, _Unusable) as error:
        _note_away(error)
        return primary
    _note_there()
    return connections[ALIAS]


class _Unusable(Exception):
    """The replica answers, and is no good."""


def _wait_for(replica: BaseDatabaseWrapper, position: str) -> None:
    """Return once the replica has replayed what was written up to a position of the log."""
    until = time.monotonic() + settings.DATABASE_REPLICA_SECONDS
    while True:
        with replica.cursor() as cursor:
            cursor.execute(_HAS, [position])
            in_recovery, has_it = cursor.fetchone()
        if not in_recovery:
            raise _Unusable("it is no standby")
        if has_it:
            return
        if time.monotonic() > until:
            raise _Unusable("it is too far behind")
        time.sleep(LOOK_EVERY)


def _note_away(error: Exception) -> None:
    global _away_until
    if _away_until is None:
        logger.warning("The replica is not used, the database itself is read: %s", error)
    _away_until = time.monotonic() + AWAY_SECONDS
    connections[ALIAS].close()


def _note_there() -> None:
    global _away_until
    if _away_until is not None:
        _away_until = None
        logger.warning("The replica is used again.")
