"""Restore a backup into an installation that is empty, or that is to be replaced."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from django.core.cache import cache
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from config import installation
from config.backup import manifest as manifests
from config.backup import tables
from config.backup.errors import BackupError
from config.backup.making import AT_ONCE
from config.backup.manifest import Manifest, StoredFile
from config.backup.places import BLOCK, Kept, Place
from config.checks.processes import ALIVE
from labeling.stored_folders import ownership

RUNNING = """
SELECT name FROM labeling_heartbeat
WHERE at > clock_timestamp() - make_interval(secs => %s) AND EXISTS (
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'
) ORDER BY name
"""
Say = Callable[[str], None]


def restore(
    place: Place, *, name: str = "", replace: bool = False, say: Say = lambda _: None
) -> Manifest:
    """Restore the newest backup, or that of a name; then bring it up to this version.

    Files come first and tables last, in one transaction: what is interrupted can be begun again.
    Raises BackupError; then no table has changed.
    """
    backup = manifests.read(place, name)
    _check_version(backup)
    if strange := tables.unknown(table.name for table in backup.tables):
        raise BackupError(f"This backup fills a table that is none of Tessera's: {strange[0]}.")
    with connection.cursor() as cursor:
        if running := _running(cursor):
            raise BackupError(
                f"{running} still runs, and what people answer meanwhile would be lost: stop web,"
                " worker and beat on all machines. Where all have just ended, wait a minute."
            )
        if not replace and (filled := tables.filled(cursor)):
            raise BackupError(
                f"This installation is not empty ({', '.join(filled[:3])} …): restore into a new"
                " one, or let --replace delete all that it holds."
            )
        if not replace and ownership.read() not in ("", tables.installation(cursor)):
            raise BackupError(
                "The storage holds the files of another installation, or of this one before its"
                " database was lost: set FILE_STORAGE to an empty place, or let --replace take it"
                " over."
            )
    say(f"Copying {backup.file_count:,} files.")
    _put_files(place, backup)
    say("Filling the tables.")
    _make_tables(backup)
    with transaction.atomic(), connection.cursor() as cursor:
        tables.empty(cursor)
        for table in backup.tables:
            tables.load(cursor, place, table)
        tables.set_sequences(cursor, backup.sequences)
    say("Bringing the tables up to this version.")
    call_command("migrate", verbosity=0, interactive=False)
    installation.claim()
    cache.clear()
    return backup


def verify(place: Place, *, name: str = "") -> Manifest:
    """Read a backup whole and compare each content with its hash. Raises BackupError."""
    backup = manifests.read(place, name)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(partial(_check, place), set(manifests.contents_of(place, backup))):
            pass
    return backup


def _check(place: Place, content: Kept) -> None:
    with place.fetched(content):
        pass


def _running(cursor: CursorWrapper) -> str:
    """Return the name of a process that has given a sign of life, if somebody else is connected."""
    cursor.execute("SELECT to_regclass('labeling_heartbeat') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return ""
    cursor.execute(RUNNING, [ALIVE])
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _check_version(backup: Manifest) -> None:
    """Raise BackupError for a backup of a newer version than this one."""
    known = MigrationExecutor(connection).loader.disk_migrations.keys()
    if unknown := [f"{app}.{name}" for app, name in backup.migrations if (app, name) not in known]:
        raise BackupError(
            f"This backup is of Tessera {backup.version}, which has tables that this version does"
            f" not know ({unknown[0]}): install Tessera {backup.version} or newer."
        )


def _make_tables(backup: Manifest) -> None:
    """Make the tables as they were at the backup."""
    with connection.cursor() as cursor:
        if set(tables.migrations(cursor)) == set(backup.migrations):
            return
        tables.drop(cursor)
    executor = MigrationExecutor(connection)
    executor.migrate(backup.migrations)


def _put_files(place: Place, backup: Manifest) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(partial(_put_file, place), manifests.read_files(place, backup)):
            pass


def _put_file(place: Place, file: StoredFile) -> None:
    """Store a file under its name, unless it is there with the same content."""
    if _is_stored(file):
        return
    with place.fetched(Kept(file.sha256, file.size)) as path, path.open("rb") as content:
        default_storage.delete(file.name)
        stored = default_storage.save(file.name, File(content))
    if stored != file.name:
        raise BackupError(
            f"The storage keeps {file.name} as {stored}: stop all that writes to it, and restore"
            " again."
        )


def _is_stored(file: StoredFile) -> bool:
    with suppress(FileNotFoundError):
        if default_storage.size(file.name) != file.size:
            return False
        digest = hashlib.sha256()
        with default_storage.open(file.name) as content:
            while block := content.read(BLOCK):
                digest.update(block)
        return digest.hexdigest() == file.sha256
    return False
