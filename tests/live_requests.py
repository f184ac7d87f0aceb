"""How live servers answer: as the web process does, with axe beside it; and what they work on."""

from threading import Lock
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper

from tests import axe

POOL = {"min_size": 1, "max_size": 16}
AXE = axe.SCRIPT.encode()
AXE_HEADERS = [
    ("Content-Type", "text/javascript"),
    ("Content-Length", str(len(AXE))),
    ("Cache-Control", "max-age=86400"),
]


class CountingHandler(WSGIHandler):
    """Counts requests while it is at work on them, also between their queries.

    They share a pool of connections to the database: a new one takes longer than most requests do.
    """

    at_work = 0
    _lock = Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == axe.PATH:
            start_response("200 OK", AXE_HEADERS)
            return [AXE]
        self._count(1)
        try:
            _use_pool()
            return super().__call__(environ, start_response)
        finally:
            self._count(-1)

    @classmethod
    def _count(cls, change: int) -> None:
        with cls._lock:
            cls.at_work += change


def close_pool() -> None:
    """Let go of the connections of live servers that have ended."""
    while DatabaseWrapper._connection_pools:
        DatabaseWrapper._connection_pools.popitem()[1].close()


def _use_pool() -> None:
    """Let this thread alone have the pool: what tests ask themselves needs no second connection."""
    own = connection.settings_dict
    if "pool" not in own["OPTIONS"]:
        options = {**own["OPTIONS"], "pool": POOL}
        connection.settings_dict = {**own, "CONN_MAX_AGE": 0, "OPTIONS": options}
