"""Rows that are made once for all the tests of a module, each of which sees them as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest_django
from django.db import transaction


@contextmanager
def kept_for_a_module(blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    """Keep what is stored in here while this lasts; for a fixture of a module.

    The transactions of the tests are savepoints within this one, so they must not be committed.
    """
    with blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)
