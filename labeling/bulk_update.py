"""Update many rows in one statement: much quicker than Django's `bulk_update`."""

from collections.abc import Sequence

from django.db import connection, models

from labeling import prepared


def update(rows: Sequence[models.Model], fields: Sequence[str]) -> int:
    """Write `fields` of rows of one model from one `unnest`; return how many rows there were."""
    if not rows:
        return 0
    options = rows[0]._meta
    by_name = {field.name: field for field in options.concrete_fields}
    columns = [by_name[name] for name in fields]
    types = [f"%s::{column.db_type(connection)}[]" for column in columns]
    names = [connection.ops.quote_name(str(column.column)) for column in columns]
    assignments = ", ".join(f"{name} = new.{name}" for name in names)
    return prepared.execute(
        f"UPDATE {connection.ops.quote_name(options.db_table)} AS old SET {assignments} "
        f"FROM unnest(%s::bigint[], {', '.join(types)}) AS new(pk, {', '.join(names)}) "
        f"WHERE old.{connection.ops.quote_name(str(options.pk.column))} = new.pk",
        [[row.pk for row in rows]]
        + [
            [column.get_db_prep_save(getattr(row, column.attname), connection) for row in rows]
            for column in columns
        ],
    )
