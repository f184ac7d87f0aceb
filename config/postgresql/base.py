"""Django's PostgreSQL backend, which asks nothing of a session that a pooler may exchange.

A pooler such as PgBouncer, in transaction mode, gives each transaction whichever session of the
server is free. It is noticed by itself: it hands clients process ids of its own making. Behind it
nothing is prepared, unless `DATABASE_PREPARE` says that it follows prepared statements, and no
cursor on the server outlives a transaction.
"""

import select
import time
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base, features
from psycopg_pool import ConnectionPool

ASKED_EVERY = 10.0  # seconds, at most, after which a connection of a pool is asked whether it works
# Without a pooler, statements of `labeling.prepared` keep one plan for whatever parameters.
_LOOK = """
SELECT pg_backend_pid(), CASE WHEN pg_backend_pid() = %s
    THEN set_config('plan_cache_mode', 'force_generic_plan', false) END
"""


class DatabaseFeatures(features.DatabaseFeatures):
    """Django's, of the versions that the tests run on."""

    minimum_database_version = (15,)


class DatabaseWrapper(base.DatabaseWrapper):
    """A thread's connection."""

    features_class = DatabaseFeatures

    @property
    def pool(self) -> Any:
        """Django's pool, which sends nothing to a connection that worked a moment ago."""
        pool = super().pool
        if pool is not None and pool._check is not None:
            pool._check = check
        return pool

    def init_connection_state(self) -> None:
        """Look once at each connection of the driver's, which a pool of ours lends repeatedly."""
        super().init_connection_state()
        driver: Any = self.connection
        if driver is not None and not hasattr(driver, "behind_pooler"):
            pid = driver.info.backend_pid
            driver.behind_pooler = driver.execute(_LOOK, [pid]).fetchone()[0] != pid
            prepares = settings.DATABASE_PREPARE
            if prepares is None:
                prepares = not driver.behind_pooler
            driver.prepare_threshold = 0 if prepares else None

    @property
    def behind_pooler(self) -> bool:
        """Whether somebody stands between this connection and PostgreSQL."""
        self.ensure_connection()
        driver: Any = self.connection
        return bool(driver.behind_pooler)

    def chunked_cursor(self) -> Any:
        """Return a cursor on the server, of whose rows a few at a time are held here.

        Behind a pooler, outside a transaction, it has a connection and a transaction of its own.
        """
        if not self.behind_pooler or not self.get_autocommit():
            return super().chunked_cursor()
        own = self.copy()
        own.settings_dict["OPTIONS"].pop("pool", None)
        own.set_autocommit(False)
        cursor = own.chunked_cursor()
        close = cursor.close

        def close_both() -> None:
            try:
                close()
            finally:
                own.close()

        cursor.close = close_both
        return cursor


def check(connection: Any) -> None:
    """Raise OperationalError where a connection of the driver's, which was idle, is of no use.

    What the server has closed can be read from, to its end. Of a connection that worked a moment
    ago this is enough, and takes no round trip.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    now = time.monotonic()
    if poll.poll(0) or now - getattr(connection, "asked_at", -ASKED_EVERY) >= ASKED_EVERY:
        ConnectionPool.check_connection(connection)
        connection.asked_at = now
