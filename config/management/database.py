"""Set the database up before a command needs it."""

from contextlib import nullcontext

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from config import servers

MIGRATIONS_LOCK = 0x7E55E7A  # PostgreSQL's advisory lock, held while migrations are applied


def connect() -> None:
    """Connect to the database. Raises CommandError if it cannot be reached."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(f"The database cannot be reached: {str(error).strip()}") from error


def set_up() -> None:
    """Apply missing migrations to the embedded database.

    Raises CommandError if they are missing in a database of one's own.
    """
    if is_up_to_date():
        return
    if "postgresql" not in servers.unconfigured():
        raise CommandError(
            "The database of DATABASE_URL is not up to date: run `python manage.py migrate` first."
        )
    migrate()


def migrate() -> None:
    """Apply all migrations, one process at a time; to an empty database all of them or none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATIONS_LOCK])
        try:
            empty = not connection.introspection.table_names(cursor)
            with transaction.atomic() if empty else nullcontext():
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATIONS_LOCK])


def is_up_to_date() -> bool:
    """Whether all migrations are applied."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
