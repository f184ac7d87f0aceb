"""Other processes on the same database, with other code or another secret key."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError
from django.db.backends.utils import CursorWrapper

from config.checks.database import own_cursor
from config.monitoring import identity
from config.monitoring.identity import Identity

ALIVE = 45  # seconds since the last sign of life
WEB = "web"
ROWS = """
SELECT name, version, migrations, key FROM labeling_heartbeat
WHERE at > clock_timestamp() - make_interval(secs => %s) AND (kind = 'web' OR %s) AND key <> ''
ORDER BY name
"""


def check_processes(role: str = WEB, **kwargs: Any) -> list[CheckMessage]:
    """Compare this process with those that live: a worker with web processes, a web with all.

    A web process begins in any case, so that one after the other can be replaced; a worker waits
    until the web processes have the same code and key.
    """
    try:
        with own_cursor() as cursor:
            others = _living(cursor, with_workers=role == WEB)
    except DatabaseError:  # away, or without its tables: others say so
        return []
    own = identity.of_this_process()
    found: dict[str, tuple[str, bool]] = {}
    for name, other in others:  # one sentence of each kind of difference, by the first that has it
        for field, sentence, harmless in _differences(own, name, other):
            found.setdefault(field, (sentence, harmless))
    kind = Warning if role == WEB else Error
    return [
        (Warning if harmless else kind)(sentence, id="config.E040")
        for sentence, harmless in found.values()
    ]


def _living(cursor: CursorWrapper, *, with_workers: bool) -> list[tuple[str, Identity]]:
    cursor.execute(ROWS, [ALIVE, with_workers])
    return [(name, Identity(*rest)) for name, *rest in cursor.fetchall()]


def _differences(own: Identity, name: str, other: Identity) -> Iterator[tuple[str, str, bool]]:
    """Yield what is different, a sentence on it, and whether that is in order for a worker."""
    if own.key != other.key:
        yield (
            "key",
            f"SECRET_KEY is another one here than at {name}: set the same on all machines, or what"
            " one signs the others refuse.",
            False,
        )
    if own.version != other.version:
        newer = _order(own.version) > _order(other.version)
        first, second = ("there", own.version) if newer else ("here", other.version)
        yield (
            f"version {other.version}",
            f"This process is of version {own.version}, and {name} of {other.version}: install"
            f" {second} {first}, too.",
            newer,
        )
    elif own.migrations != other.migrations:
        yield (
            "migrations",
            f"This process knows other migrations than {name}, which has the same version:"
            " install the same code on all machines.",
            False,
        )


def _order(version: str) -> tuple[int, ...]:
    numbers = version.partition("+")[0].split(".")
    return tuple(int(each) if each.isdigit() else -1 for each in numbers)
