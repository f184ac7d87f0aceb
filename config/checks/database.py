"""A database that is of another version than the code, or whose clock is."""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning
from django.db import DEFAULT_DB_ALIAS, DatabaseError, NotSupportedError, connections
from django.db.backends.utils import CursorWrapper

import labeling

SECONDS = 3  # to connect, where the database is slow or away
OFF, FAR_OFF = 3.0, 30.0  # seconds by which a clock is doubtful, and wrong

Migration = tuple[str, str]  # app, name


@contextmanager
def own_cursor(alias: str = DEFAULT_DB_ALIAS) -> Iterator[CursorWrapper]:
    """Yield a cursor of a connection of its own, which is closed: a process may fork after this."""
    default = connections[alias]
    settings = copy.deepcopy(default.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    settings["OPTIONS"]["connect_timeout"] = SECONDS
    own = type(default)(settings, alias)
    try:
        with own.cursor() as cursor:
            yield cursor
    finally:
        own.close()


def check_database(**kwargs: Any) -> list[CheckMessage]:
    """Compare the database's migrations, and its clock, with this machine's."""
    try:
        with own_cursor() as cursor:
            return [*_migrations(cursor), *_clock(cursor)]
    except NotSupportedError as error:
        return [Error(unusable(error), id="config.E025")]
    except DatabaseError as error:
        return [Warning(unusable(error), id="config.W020")]


def unusable(error: DatabaseError) -> str:
    """Return why nobody can connect to the database, and what to do."""
    reason = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, NotSupportedError):  # Django compares the versions as it connects
        return f"{reason}: upgrade the server of DATABASE_URL, or name another one."
    return f"The database cannot be reached ({reason}): start it, or correct DATABASE_URL."


def known_migrations() -> set[Migration]:
    """Return the migrations of the installed applications, by the names of their files."""
    return {
        (app.label, path.stem)
        for app in apps.get_app_configs()
        for path in _folder(app.name).glob("[!_]*.py")
    }


def applied_migrations(cursor: CursorWrapper) -> set[Migration]:
    """Return the migrations that the database has seen; none in an empty one."""
    cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return set()
    cursor.execute("SELECT app, name FROM django_migrations")
    return set(cursor.fetchall())


def newer(applied: set[Migration]) -> str:
    """Return a sentence if the database is of a newer version than the code; else nothing."""
    known = known_migrations()
    labels = {app for app, _ in known}
    unknown = sorted(each for each in applied - known if each[0] in labels)
    if not unknown:
        return ""
    return (
        f"The database is of a newer version than this code ({labeling.__version__}), which does"
        f" not know its migration {'.'.join(unknown[0])}: install the version that the other"
        " processes have, or restore a backup of this one."
    )


def _migrations(cursor: CursorWrapper) -> Iterator[CheckMessage]:
    applied = applied_migrations(cursor)
    if sentence := newer(applied):
        yield Error(sentence, id="config.E021")
    elif missing := sorted(known_migrations() - applied):
        yield Error(
            f"The database is of an older version than this code: {len(missing)} migrations are"
            f" missing, such as {'.'.join(missing[0])}. Make a backup, and run `tessera migrate`.",
            id="config.E022",
        )


def _clock(cursor: CursorWrapper) -> Iterator[CheckMessage]:
    before = time.time()
    cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
    theirs = float(cursor.fetchone()[0])
    yield from off("database", theirs, before, time.time())


def off(whose: str, theirs: float, before: float, after: float) -> Iterator[CheckMessage]:
    """Yield what is to be said of this machine's clock by one that was asked in between."""
    difference = max(before - theirs, theirs - after, 0.0)
    if difference < OFF:
        return
    sentence = (
        f"The clock of this machine and that of the {whose} are {difference:,.0f} seconds apart:"
        " set both by NTP, as `timedatectl set-ntp true` does."
    )
    if difference < FAR_OFF:
        yield Warning(sentence, id="config.W023")
    else:
        yield Error(sentence, id="config.E023")


def _folder(app: str) -> Path:
    spec = find_spec(f"{app}.migrations")
    return Path(spec.origin).parent if spec and spec.origin else Path("/nowhere")
