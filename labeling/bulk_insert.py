"""Insert many rows in one statement, several times quicker than `bulk_create`.

Few rows go as one JSON text, for a statement that is prepared; many by COPY into a temporary table,
which is written to PostgreSQL's catalogue and removed again.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeAlias
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper

from labeling import prepared

Field: TypeAlias = "models.Field[Any, Any]"

FEW = 500  # rows at most that are not worth a temporary table
PLAIN = (
    ArrayField,
    models.BooleanField,
    models.CharField,
    models.FloatField,
    models.ForeignKey,
    models.IntegerField,
    models.TextField,
)


def insert(rows: Sequence[models.Model]) -> int:
    """Insert rows of one model, except those that violate a constraint; return how many.

    The objects' primary keys are not set.
    """
    if not rows:
        return 0
    return _insert_few(rows) if len(rows) <= FEW else _insert_many(rows)


def insert_with_ids(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model in their order; give those their primary keys that have none.

    Raises `IntegrityError` where a row violates a constraint; then none is inserted.
    """
    if not rows:
        return
    set_ids(rows)
    with connection.cursor() as cursor:
        _copy(cursor, _table(rows), rows[0]._meta.concrete_fields, rows)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def set_ids(rows: Sequence[models.Model]) -> None:
    """Give rows of one model, which are not stored yet, the primary keys that they will have."""
    new = [row for row in rows if row.pk is None]
    if not new:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [_table(new), len(new)],
        )
        for row, (pk,) in zip(new, cursor.fetchall(), strict=True):
            row.pk = pk


def _insert_few(rows: Sequence[models.Model]) -> int:
    fields = _without_key(rows)
    table, names = _table(rows), _names(fields)
    columns = [str(field.column) for field in fields]
    objects = [dict(zip(columns, values, strict=True)) for values in _values(fields, rows)]
    return prepared.execute(
        f"INSERT INTO {table} ({names}) "
        f"SELECT {names} FROM json_populate_recordset(NULL::{table}, %s::json) "
        "ON CONFLICT DO NOTHING",
        [json.dumps(objects, default=_text)],
    )


def _insert_many(rows: Sequence[models.Model]) -> int:
    fields = _without_key(rows)
    table, names = _table(rows), _names(fields)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE incoming (LIKE {table}) ON COMMIT DROP")
        cursor.execute("ALTER TABLE incoming DROP COLUMN id")
        _copy(cursor, "incoming", fields, rows)
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming ON CONFLICT DO NOTHING"
        )
        inserted: int = cursor.rowcount
        cursor.execute("DROP TABLE incoming")
    return inserted


def _copy(
    cursor: CursorWrapper, table: str, fields: Sequence[Field], rows: Sequence[models.Model]
) -> None:
    command = f"COPY {table} ({_names(fields)}) FROM STDIN"
    with connection.wrap_database_errors, cursor.copy(command) as copy:
        for values in _values(fields, rows):
            copy.write_row(values)


def _without_key(rows: Sequence[models.Model]) -> list[Field]:
    return [field for field in rows[0]._meta.concrete_fields if not field.primary_key]


def _table(rows: Sequence[models.Model]) -> str:
    return connection.ops.quote_name(rows[0]._meta.db_table)


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)


def _values(fields: Sequence[Field], rows: Sequence[models.Model]) -> Iterator[list[Any]]:
    readers = [_reader(field) for field in fields]
    for row in rows:
        yield [read(row) for read in readers]


def _reader(field: Field) -> Callable[[models.Model], Any]:
    """Return a function that reads a field of a row as the database takes it.

    Plain values are read as they are, a fifth of the time that asking the field takes.
    """
    if isinstance(field, PLAIN) and type(field).pre_save is models.Field.pre_save:
        return attrgetter(field.attname)
    if isinstance(field, models.DateTimeField):
        return lambda row: field.pre_save(row, add=True)
    return lambda row: field.get_db_prep_save(field.pre_save(row, add=True), connection)


def _text(value: object) -> str:
    """Return as text what JSON has no type for. Raises TypeError for what is neither."""
    if isinstance(value, datetime | UUID):
        return str(value)
    raise TypeError(f"{value!r} cannot be inserted.")
