"""Set the database up before a command needs it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from config import servers
from config.checks.database import applied_migrations, newer, unusable

MIGRATIONS_LOCK = 0x7E55E7A  # PostgreSQL's advisory lock, held while migrations are applied


def pass_pooler_by() -> None:
    """Use the connection around a pooler, if there is one, from now on."""
    connection.settings_dict.update(settings.DATABASE_DIRECT)


def connect() -> None:
    """Connect to the database. Raises CommandError if it cannot be used."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        raise CommandError(unusable(error)) from error


def set_up() -> None:
    """Apply missing migrations to the embedded database.

    Raises CommandError if they are missing in a database of one's own, and for a database of a
    newer version.
    """
    with connection.cursor() as cursor:
        if sentence := newer(applied_migrations(cursor)):
            raise CommandError(sentence)
    if is_up_to_date():
        return
    if "postgresql" not in servers.unconfigured():
        raise CommandError(
            "The database of DATABASE_URL is not up to date: run `tessera migrate` first."
        )
    migrate()


def migrate() -> None:
    """Apply all migrations, one process at a time; to an empty database all of them or none."""
    with _alone(), connection.cursor() as cursor:
        empty = not connection.introspection.table_names(cursor)
        with transaction.atomic() if empty else nullcontext():
            call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process migrates, and let none do so.

    The lock is a transaction's, on a connection of its own: a session's would stay with a pooler.
    """
    with closing(connection.copy()) as own:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATIONS_LOCK])
        yield


def is_up_to_date() -> bool:
    """Whether all migrations are applied."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
