"""Work that has to wait through no fault of its own: it stays due, says why, and is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import Error

from labeling import database_errors, lease
from labeling.stored_folders import FolderMissing, StorageAway
from labeling.stored_folders.errors import NO_ROOM
from training import server_paths
from training.models import Delayed
from training.processes import DISK_FULL, TemporaryError

AWAY = timedelta(seconds=5)  # after which a storage is asked again
FULL = timedelta(seconds=15)  # … it is looked whether a disk has room again
MISSING = timedelta(minutes=1)  # … and whether files are there again


class DelayedError(Exception):
    """It cannot be done now; the message says what is waited for, in a sentence."""

    def __init__(self, reason: str, after: timedelta) -> None:
        super().__init__(server_paths.hidden(reason))
        self.after = after


def put_off(row: Delayed, why: DelayedError, /, **fields: Any) -> None:
    """Give a lease back, have the row wait, and set fields with it. Raises LeaseLost."""
    lease.give_back(row, after=why.after, delay_reason=str(why), **fields)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what says nothing of the work itself into a DelayedError.

    A storage that is away, a folder that it lacks, and a full disk, also of the database.
    """
    try:
        yield
    except StorageAway as error:
        raise DelayedError(str(error), AWAY) from error
    except FolderMissing as error:
        raise DelayedError(f"{error} Put its files back.", MISSING) from error
    except TemporaryError as error:
        raise DelayedError(str(error), FULL) from error
    except Error as error:
        if not database_errors.is_full(error):
            raise
        raise DelayedError(database_errors.FULL, FULL) from error
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DelayedError(DISK_FULL, FULL) from error
