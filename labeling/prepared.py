"""Prepared statements, for the queries behind every challenge and answer.

Django merges the parameters into each query, so PostgreSQL parses and plans it anew each time. Here
a query's text stays as it is and its parameters are sent apart: each connection keeps one plan, for
whatever parameters. What selects a partial index must therefore be in the text.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import psycopg
from django.db import connection, models
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import Int8Dumper

Parameters = Mapping[str, Any] | Sequence[Any]
M = TypeVar("M", bound=models.Model)


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


def objects(model: type[M], rest: str, parameters: Parameters) -> list[M]:
    """Return the rows of a model's table as objects.

    rest: the query's text after FROM and the table: conditions, order, locks.
    """
    columns, table = _select(model)
    rows = fetch(f"SELECT {columns} FROM {table} {rest}", parameters)
    names = [field.attname for field in model._meta.concrete_fields]
    return [model.from_db(connection.alias, names, row) for row in rows]


def first(model: type[M], rest: str, parameters: Parameters) -> M | None:
    """Return the first of such objects; None where there is none."""
    return next(iter(objects(model, rest, parameters)), None)


def insert(row: M) -> M:
    """Insert a new object whose primary key is set, as `save(force_insert=True)` would."""
    fields = row._meta.concrete_fields
    columns, table = _select(type(row))
    places = ", ".join(["%s"] * len(fields))
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)
    row._state.adding, row._state.db = False, connection.alias
    return row


@cache
def _select(model: type[models.Model]) -> tuple[str, str]:
    """Return a model's columns and its table as SQL.

    Raises TypeError where a field's values are to be converted, as those of JSON are.
    """
    quote, fields = connection.ops.quote_name, model._meta.concrete_fields
    if any(field.get_db_converters(connection) for field in fields):
        raise TypeError(
            f"Read {model.__name__} through its manager: its values are to be converted."
        )
    columns = ", ".join(quote(str(field.column)) for field in fields)
    return columns, quote(model._meta.db_table)


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
