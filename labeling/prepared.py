"""Prepared statements, for the queries behind every challenge and answer.

Django merges the parameters into each query, so PostgreSQL parses and plans it each time. Here
a query's text stays as it is and its parameters are sent apart: each connection keeps one plan, for
whatever parameters. What selects a partial index must therefore be in the text.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
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
    return [model.from_db(DEFAULT_DB_ALIAS, names, row) for row in rows]


def first(model: type[M], rest: str, parameters: Parameters) -> M | None:
    """Return the first of such objects; None where there is none."""
    return next(iter(objects(model, rest, parameters)), None)


def insert(row: M) -> M:
    """Insert a new object whose primary key is set, as `save(force_insert=True)` would."""
    fields = row._meta.concrete_fields
    columns, table = _select(type(row))
    places, database = ", ".join(["%s"] * len(fields)), _database()
    values = [field.get_db_prep_save(field.pre_save(row, add=True), database) for field in fields]
    execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
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
    database = _database()
    database.ensure_connection()
    cursor: Any = _PreparingCursor(database.connection)
    wrap = database.make_debug_cursor if database.queries_logged else database.make_cursor
    return wrap(cursor)


def _database() -> BaseDatabaseWrapper:
    """Return the thread's connection itself: its proxy looks it up for each attribute."""
    return connections[DEFAULT_DB_ALIAS]


class _PreparingCursor(psycopg.RawCursor[Any]):
    """Prepare each statement, unless `DATABASE_PREPARE` forbids it on this connection."""

    @property
    def adapters(self) -> AdaptersMap:
        return _adapters()

    def execute(self, query: Any, params: Any = None, **options: Any) -> "_PreparingCursor":
        text, keys = _numbered(query)
        return super().execute(text, [params[key] for key in keys], prepare=True, **options)


@lru_cache(maxsize=512)
def _numbered(query: str) -> tuple[bytes, list[str | int]]:
    """Return a query with $1, $2 and so on for its placeholders, and each one's name or place.

    psycopg does the same, but each time for a long query.
    """
    keys: list[str | int] = []

    def number(placeholder: re.Match[str]) -> str:
        if placeholder[0] == "%%":
            return "%"
        key = placeholder[1] or len(keys)
        if key not in keys:
            keys.append(key)
        return f"${keys.index(key) + 1}"

    return re.sub(r"%(?:%|s|\((\w+)\)s)", number, query).encode(), keys


@cache
def _adapters() -> AdaptersMap:
    """Return Django's adapters; but all integers are sent as bigint.

    psycopg would choose the type by the value, and a statement is prepared for each choice.
    """
    adapters = AdaptersMap(connection.connection.adapters)
    adapters.register_dumper(int, Int8Dumper)
    return adapters
