"""Whether this process can answer requests, and what it stands on: each part with a time limit."""

import errno
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache as once
from typing import Any

from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.loader import MigrationLoader

from config import storage
from config.cache import why_away
from config.celery import app
from labeling import database_errors
from labeling.stored_folders import StorageAway, StorageFull, objects, ownership
from labeling.stored_folders.errors import FULL, NO_ROOM

FAILED_EVERY = 10.0  # seconds, at most, after which a part that failed is asked again
SECONDS = 2.0  # for which a part may take to answer
PROBE = "tessera-readiness"  # a name in cache and storage
READ_ONLY = errno.EROFS, errno.EACCES, errno.EPERM
TAKES_NOTHING = (
    "It is read-only: what it holds can be read, and nothing written. Look whether it is full, set "
    "to read-only, or grants no right to write."
)


class NotReady(Exception):
    """A part answers, but cannot be used; the message says why, and tells no secret."""


@dataclass(frozen=True)
class Result:
    """What a check of one part found."""

    ok: bool
    required: bool  # whether requests can be answered without it
    seconds: float
    error: str = ""


class Check:
    """A check that runs in a thread of its own, at most one at a time.

    One that hangs is reported as such, and not begun again before it has ended. Its result is kept
    for `every` seconds, that of a part that failed for `FAILED_EVERY` at most.
    """

    def __init__(self, name: str, ask: Callable[[], None], *, required: bool, every: float) -> None:
        self.name, self.required = name, required
        self._ask, self._every = ask, every
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begun_at = 0.0
        self._result: Result | None = None
        self._kept_until = 0.0

    def begin(self) -> None:
        """Begin to ask, unless the last result still counts or the last question still hangs."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            if self._result is None or time.monotonic() >= self._kept_until:
                self._begun_at = time.monotonic()
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    def result(self, until: float) -> Result:
        """Return what was found, by this moment of the monotonic clock at the latest.

        Whoever asks while it hangs for longer waits no more: many who ask would keep all threads.
        """
        if self._thread is not None:
            until = min(until, self._begun_at + SECONDS)
            self._thread.join(max(0.0, until - time.monotonic()))
            if self._thread.is_alive():
                error = f"It did not answer within {SECONDS:g} seconds."
                return Result(False, self.required, SECONDS, error)
        return self._result or Result(False, self.required, 0.0, "It was not asked yet.")

    def _run(self) -> None:
        started, error = time.monotonic(), ""
        try:
            self._ask()
        except NotReady as why:
            error = str(why)
        except Exception as other:  # whose text may hold addresses and passwords
            error = f"It cannot be reached ({type(other).__name__})."
        taken = round(time.monotonic() - started, 4)
        self._result = Result(not error, self.required, taken, error)
        every = min(self._every, FAILED_EVERY) if error else self._every
        self._kept_until = time.monotonic() + every


def ask_database() -> None:
    """Ask on a connection of its own: a pool that is all in use is busy, and not away."""
    connection = _own_connection()
    try:
        with connection.cursor() as cursor:
            if not _is_migrated():
                cursor.execute("SELECT app, name FROM django_migrations")
                _note_migrations(set(cursor.fetchall()))
            else:
                cursor.execute("SELECT 1")
    finally:
        connection.close()


# Reads alone, but sorts more than fits into so little memory: PostgreSQL then writes to its disk.
_SORT = "SELECT count(*) FROM (SELECT n FROM generate_series(1, 30000) n ORDER BY -n OFFSET 0) rows"


def ask_database_room() -> None:
    """Have the database write a temporary file, of which nothing stays."""
    connection = _own_connection()
    try:
        connection.set_autocommit(False)  # a pooler keeps a transaction on one session
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '64kB'")
            cursor.execute(_SORT)
    except Error as error:
        if database_errors.is_full(error):
            raise NotReady(database_errors.FULL) from error
        raise
    finally:
        connection.close()


def ask_cache() -> None:
    """Write and read: a cache that is away behaves as an empty one."""
    drawn = secrets.token_hex(8)
    cache.set(PROBE, drawn, 60)
    if cache.get(PROBE) is None:  # another process may have written in between
        raise NotReady(f"{why_away()} Limits let everybody through, and figures are not kept.")


def ask_broker() -> None:
    """Connect to the broker once."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=SECONDS)


def ask_storage() -> None:
    """Ask for a file that need not be there, and whose the storage is. Raises NotReady."""
    try:
        default_storage.exists(PROBE)
        ownership.check()
    except StorageAway as error:
        raise NotReady(str(error)) from error
    except OSError:  # which may name a path
        raise
    except Exception as error:
        raise NotReady(f"It cannot be used: {storage.reason(error)}.") from error


def ask_storage_room() -> None:
    """Write a small file, and delete it. Raises NotReady, with whether it can still be read."""
    name = f"{storage.PROBES}/{PROBE}-{secrets.token_hex(8)}"
    try:
        objects.write(name, b"room")
        objects.delete(name)
    except StorageFull as error:
        raise NotReady(str(error)) from error
    except OSError as error:
        if error.errno not in {*NO_ROOM, *READ_ONLY}:
            raise
        raise NotReady(FULL if error.errno in NO_ROOM else TAKES_NOTHING) from error
    except StorageAway as error:
        if _can_be_read(name):
            raise NotReady(TAKES_NOTHING) from error
        raise NotReady(f"It is away. {error}") from error


def _can_be_read(name: str) -> bool:
    """Whether the storage answers of a file that it does not have."""
    with suppress(StorageAway):
        return not objects.exists(name)
    return False


# Only without the database can no page be answered. Were a process not ready while the cache, the
# broker or the storage is away, which all processes share, there would be no site at all; as it is,
# limits are not counted, work waits for its sweep, and pictures that are not cached are missing.
CHECKS = (
    Check("database", ask_database, required=True, every=1.0),
    Check("database room", ask_database_room, required=False, every=10.0),
    Check("cache", ask_cache, required=False, every=1.0),
    Check("broker", ask_broker, required=False, every=5.0),
    Check("storage", ask_storage, required=False, every=30.0),
    Check("storage room", ask_storage_room, required=False, every=60.0),
)


def readiness() -> tuple[bool, Mapping[str, Mapping[str, Any]]]:
    """Return whether requests can be answered, and what was found of each part."""
    until = time.monotonic() + SECONDS
    for check in CHECKS:
        check.begin()
    results = {check.name: check.result(until) for check in CHECKS}
    ready = all(result.ok for result in results.values() if result.required)
    return ready, {name: asdict(result) for name, result in results.items()}


_migrated = threading.Event()


def _is_migrated() -> bool:
    return _migrated.is_set()


def _note_migrations(applied: set[tuple[str, str]]) -> None:
    """Remember once all migrations are applied. Raises NotReady."""
    if missing := _last_migrations() - applied:
        names = ", ".join(f"{app}.{name}" for app, name in sorted(missing)[:3])
        raise NotReady(f"It lacks migrations ({names}): run tessera migrate.")
    _migrated.set()


@once
def _last_migrations() -> frozenset[tuple[str, str]]:
    """Return the last migration of each app of this version."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _own_connection() -> Any:
    default = connections[DEFAULT_DB_ALIAS]
    own = {**default.settings_dict, "OPTIONS": dict(default.settings_dict["OPTIONS"])}
    own["OPTIONS"].pop("pool", None)
    own["OPTIONS"]["connect_timeout"] = max(2, int(SECONDS))
    return type(default)(own, DEFAULT_DB_ALIAS)
