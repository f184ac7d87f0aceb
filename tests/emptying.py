"""Empty the tables after a test whose transactions were committed, in a tenth of Django's time.

`flush` truncates every table, which makes new files for each, and then makes the permissions
again. Here only tables that hold anything are emptied, and the permissions stay.
"""

from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection, transaction

from labeling.stored_folders import ownership

KEPT = {"django_migrations", "django_content_type", "auth_permission"}
ATTEMPTS = 10  # while requests that are still at work are in the way


def empty_tables() -> None:
    """Delete every row, once nobody else is writing any, and whose files the storage holds."""
    Path(settings.DATA_DIR, "media", ownership.FILE).unlink(missing_ok=True)
    for _ in range(ATTEMPTS - 1):
        try:
            return _empty_tables()
        except OperationalError:  # a deadlock with whoever is still writing
            continue
    return _empty_tables()


def _empty_tables() -> None:
    names = set(connection.introspection.django_table_names(include_views=False)) - KEPT
    tables = sorted(map(connection.ops.quote_name, names))
    filled = " UNION ALL ".join(f"SELECT '{t}' WHERE EXISTS (SELECT FROM {t})" for t in tables)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(tables)}")
        cursor.execute(filled)
        if emptied := [table for (table,) in cursor.fetchall()]:
            cursor.execute("SET LOCAL session_replication_role = replica")  # in any order
            cursor.execute(";".join(f"DELETE FROM {table}" for table in emptied))
