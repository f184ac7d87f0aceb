"""Many rows at once, by PostgreSQL's COPY: several times quicker than `bulk_create`."""

from collections.abc import Sequence

from django.db import connection, models, transaction


def insert(rows: Sequence[models.Model]) -> int:
    """Insert rows of one model, passing over those that a constraint forbids; gives how many.

    The rows do not learn their ids.
    """
    if not rows:
        return 0
    options = rows[0]._meta
    fields = [field for field in options.concrete_fields if not field.primary_key]
    table = connection.ops.quote_name(options.db_table)
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE arriving (LIKE {table}) ON COMMIT DROP")
        cursor.execute("ALTER TABLE arriving DROP COLUMN id")
        with cursor.copy(f"COPY arriving ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([field.pre_save(row, add=True) for field in fields])
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM arriving ON CONFLICT DO NOTHING"
        )
        inserted: int = cursor.rowcount
        cursor.execute("DROP TABLE arriving")
    return inserted
