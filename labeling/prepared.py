"""Prepared statements, for the queries behind every challenge and answer.

Django merges the parameters into each query, so PostgreSQL parses and plans it anew each time. Here
a query's text stays as it is and its parameters are sent apart: each connection keeps one plan, for
whatever parameters. What selects a partial index must therefore be in the text.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from django.db import connection
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import Int8Dumper

Parameters = Mapping[str, Any] | Sequence[Any]


def execute(query: str, parameters: Parameters) -> int:
    """Execute a statement; return how many rows it wrote."""
    with _cursor() as cursor:
        cursor.execute(query, parameters)
        return int(cursor.rowcount)


def fetch(query: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Return the rows of a query, or of a statement with RETURNING."""
    with _cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def _cursor() -> Any:
    """Return a cursor of Django's, with its hooks and its log, around one that prepares."""
    connection.ensure_connection()
    cursor: Any = _PreparingCursor(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrap(cursor)


class _PreparingCursor(psycopg.Cursor[Any]):
    """Prepare each statement, unless `DATABASE_PREPARE` forbids it on this connection."""

    @property
    def adapters(self) -> AdaptersMap:
        return _adapters()

    def execute(self, query: Any, params: Any = None, **options: Any) -> "_PreparingCursor":
        return super().execute(query, params, prepare=True, **options)


@cache
def _adapters() -> AdaptersMap:
    """Return Django's adapters; but all integers are sent as bigint.

    psycopg would choose the type by the value, and a statement is prepared for each choice.
    """
    adapters = AdaptersMap(connection.connection.adapters)
    adapters.register_dumper(int, Int8Dumper)
    return adapters
