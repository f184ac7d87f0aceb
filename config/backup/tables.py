"""The tables of Tessera: written as COPY writes them, all of one moment, and read back."""

import gzip
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.apps import apps
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from config.backup.manifest import Table, unpacked
from config.backup.places import BLOCK, Kept, Place

INSTALLATION = "labeling_installation"  # which is not the one that was backed up
WITHOUT_ROWS = {"django_session", INSTALLATION}  # whoever has a session is signed in
MADE_BY_THEMSELVES = {"django_migrations", "django_content_type", "auth_permission", INSTALLATION}

Snapshot = CursorWrapper  # in a transaction that sees one moment

TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""
SEQUENCES = """
SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1
"""


@contextmanager
def one_moment() -> Iterator[Snapshot]:
    """Yield a cursor that sees the database as it was at its first query, whoever writes."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield cursor


def ours(cursor: CursorWrapper) -> list[str]:
    """Return the tables that belong to the installed applications, of any version of them."""
    cursor.execute(TABLES)
    return [name for (name,) in cursor.fetchall() if name.startswith(_prefixes())]


def _prefixes() -> tuple[str, ...]:
    return tuple(f"{label}_" for label in {"django", *apps.app_configs})


def filled(cursor: CursorWrapper) -> list[str]:
    """Return the tables that hold anything but what every new database holds."""
    names = [name for name in ours(cursor) if name not in MADE_BY_THEMSELVES]
    if not names:
        return []
    cursor.execute(
        " UNION ALL ".join(f"SELECT '{n}' WHERE EXISTS (SELECT FROM {_quoted(n)})" for n in names)
    )
    return [name for (name,) in cursor.fetchall()]


def installation(cursor: CursorWrapper) -> str:
    """Return which installation this is; empty before its first start."""
    if INSTALLATION not in ours(cursor):
        return ""
    cursor.execute(f"SELECT key::text FROM {INSTALLATION}")
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def unknown(names: Iterable[str]) -> list[str]:
    """Return the names that are none of tables of the installed applications."""
    return [name for name in names if not name.startswith(_prefixes())]


def migrations(cursor: CursorWrapper) -> list[tuple[str, str]]:
    """Return the app and the name of each migration that was applied, in their order."""
    if "django_migrations" not in ours(cursor):
        return []
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
    return [(app, name) for app, name in cursor.fetchall()]


def dump(cursor: Snapshot, place: Place) -> Iterator[Table]:
    """Keep each table's rows in the place."""
    for name in ours(cursor):
        cursor.execute(COLUMNS, [_quoted(name)])
        columns = [column for (column,) in cursor.fetchall()]
        with tempfile.TemporaryFile() as file:
            rows = 0 if name in WITHOUT_ROWS else _copy(cursor, name, columns, file)
            file.seek(0)
            kept = place.keep(file)
        yield Table(name, columns, rows, kept.sha256, kept.size)


def sequences(cursor: CursorWrapper) -> dict[str, int | None]:
    """Return the last value of each sequence, which is never below an id that is seen."""
    cursor.execute(SEQUENCES)
    return dict(cursor.fetchall())


def empty(cursor: CursorWrapper) -> None:
    """Delete all rows."""
    if names := ours(cursor):
        cursor.execute(f"TRUNCATE {', '.join(map(_quoted, names))}")


def drop(cursor: CursorWrapper) -> None:
    """Drop the tables."""
    if names := ours(cursor):
        cursor.execute(f"DROP TABLE {', '.join(map(_quoted, names))} CASCADE")


def load(cursor: CursorWrapper, place: Place, table: Table) -> None:
    """Fill an empty table. Raises BackupError for a content that is damaged or missing."""
    columns = ", ".join(map(_quoted, table.columns))
    query = f"COPY {_quoted(table.name)} ({columns}) FROM STDIN"
    with (
        place.fetched(Kept(table.sha256, table.size)) as path,
        unpacked(path) as file,
        _raw(cursor).copy(query) as copy,
    ):
        while block := file.read(BLOCK):
            copy.write(block)


def set_sequences(cursor: CursorWrapper, values: dict[str, int | None]) -> None:
    """Let each sequence go on after its last value."""
    for name in sequences(cursor).keys() & values.keys():
        value = values[name]
        cursor.execute("SELECT setval(%s, %s, %s)", [_quoted(name), value or 1, value is not None])


def _copy(cursor: Snapshot, name: str, columns: list[str], file: IO[bytes]) -> int:
    """Write a table's rows into a file, compressed; return how many."""
    rows = 0
    query = f"COPY (SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(name)}) TO STDOUT"
    with (
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as out,
        _raw(cursor).copy(query) as copy,
    ):
        for block in copy:
            rows += bytes(block).count(b"\n")  # one a row: those within a text are escaped
            out.write(block)
    return rows


def _raw(cursor: CursorWrapper) -> Any:
    """Return psycopg's cursor, which has what Django's stubs do not."""
    return cursor.cursor


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
