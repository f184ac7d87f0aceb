"""The requests that live servers are at work on."""

from threading import Lock
from typing import Any

from django.core.handlers.wsgi import WSGIHandler


class CountingHandler(WSGIHandler):
    """Counts requests while it is at work on them, also between their queries."""

    at_work = 0
    _lock = Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self._count(1)
        try:
            return super().__call__(environ, start_response)
        finally:
            self._count(-1)

    @classmethod
    def _count(cls, change: int) -> None:
        with cls._lock:
            cls.at_work += change
