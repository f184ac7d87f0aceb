"""Update many rows in one statement: much quicker than Django's `bulk_update`."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

from labeling import prepared

PLAIN = models.FloatField, models.BooleanField, models.CharField, models.PositiveIntegerField


def update(rows: Sequence[models.Model], fields: Sequence[str]) -> int:
    """Write `fields` of rows of one model from one `unnest`; return how many rows there were."""
    if not rows:
        return 0
    statement, columns = _statement(type(rows[0]), tuple(fields))
    values = [_values(rows, column) for column in columns]
    return prepared.execute(statement, [[row.pk for row in rows], *values])


def _values(rows: Sequence[models.Model], column: Any) -> list[Any]:
    """Return the values of a column as the driver takes them."""
    values = [getattr(row, column.attname) for row in rows]
    if type(column) in PLAIN:
        return values
    database = connections[DEFAULT_DB_ALIAS]
    return [column.get_db_prep_save(value, database) for value in values]


@cache
def _statement(model: type[models.Model], fields: tuple[str, ...]) -> tuple[str, list[Any]]:
    """Return the statement that writes these fields, and the fields themselves."""
    options, database = model._meta, connections[DEFAULT_DB_ALIAS]
    quote = database.ops.quote_name
    by_name = {field.name: field for field in options.concrete_fields}
    columns = [by_name[name] for name in fields]
    types = [f"%s::{column.db_type(database)}[]" for column in columns]
    names = [quote(str(column.column)) for column in columns]
    assignments = ", ".join(f"{name} = new.{name}" for name in names)
    statement = (
        f"UPDATE {quote(options.db_table)} AS old SET {assignments} "
        f"FROM unnest(%s::bigint[], {', '.join(types)}) AS new(pk, {', '.join(names)}) "
        f"WHERE old.{quote(str(options.pk.column))} = new.pk"
    )
    return statement, columns
