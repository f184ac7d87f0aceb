"""By what a process tells whether another one has the same code and the same secret key."""

import hashlib
from functools import cache
from typing import NamedTuple

from django.utils.crypto import salted_hmac

import labeling
from config.checks.database import known_migrations


class Identity(NamedTuple):
    """What a process runs, and nothing from which its key follows."""

    version: str
    migrations: str
    key: str


@cache
def of_this_process() -> Identity:
    """Return what this process runs."""
    names = "\n".join(f"{app}.{name}" for app, name in sorted(known_migrations()))
    return Identity(
        version=labeling.__version__,
        migrations=hashlib.sha256(names.encode()).hexdigest()[:16],
        key=of_key(),
    )


def own() -> dict[str, str]:
    """Return it by the names of a heartbeat's fields."""
    return of_this_process()._asdict()


def of_key() -> str:
    """Return by what two processes can tell whether their SECRET_KEY is the same."""
    return salted_hmac("config.monitoring.identity", "key", algorithm="sha256").hexdigest()[:16]
