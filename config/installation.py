"""Which installation this is, in the database and in the storage, from the first start on."""

import uuid
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from config.checks.database import own_cursor
from labeling.stored_folders import ownership

ENTER = "INSERT INTO labeling_installation (number, key) VALUES (1, %s) ON CONFLICT DO NOTHING"


def settle() -> None:
    """At the first start, have the storage name this installation; expect that from then on.

    On connections of its own: a process may fork after this. Raises StorageNotOurs, StorageAway and
    DatabaseError.
    """
    files = storages.create_storage(settings.STORAGES["default"])
    with own_cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(ENTER, [uuid.uuid4()])  # waits for another process that begins
        is_first = cursor.rowcount == 1
        key = _key(cursor)
        if is_first and not ownership.read(files):  # where that is away, a later start settles it
            ownership.write(key, files)
            cursor.execute("COMMIT")
        ownership.expect(key)
    ownership.check(files)


def expect() -> None:
    """Expect of the storage what earlier processes settled, if any did."""
    with connection.cursor() as cursor:
        ownership.expect(_key(cursor))


def claim() -> None:
    """Have the storage and the database name the same installation. Raises StorageAway.

    That of the database stays; one that has none takes over the storage's.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        found = ownership.read()
        cursor.execute(ENTER, [found if _is_key(found) else uuid.uuid4()])
        key = _key(cursor)
        if found != key:
            ownership.write(key)
    ownership.expect(key)


def _key(cursor: CursorWrapper) -> str:
    cursor.execute("SELECT key FROM labeling_installation")
    row: Any = cursor.fetchone()
    return str(row[0]) if row else ""


def _is_key(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False
