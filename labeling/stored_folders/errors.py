"""What can be wrong with a stored folder, and which errors of a storage mean what."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation

NO_ROOM = errno.ENOSPC, errno.EDQUOT
NOT_FOUND = 404
FULL = "The storage is full: make room in it. It goes on once there is some."
_FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}
# What is wrong with the program or its settings, and would be wrong again.
FAULTS = (
    AttributeError,
    ImportError,
    ImproperlyConfigured,
    LookupError,
    NotImplementedError,
    SuspiciousOperation,
    TypeError,
)
logger = logging.getLogger(__name__)


class FolderMissing(Exception):
    """The storage answers, and has no such folder, or none that is complete."""


class FolderDamaged(FolderMissing):
    """The storage holds the folder, but not as it was put there."""


class StorageAway(Exception):
    """The storage cannot be reached, or refuses: try it again later. This says nothing of a folder.

    Its message is a sentence for people, without anything that the storage said.
    """


class StorageFull(StorageAway):
    """The storage has no room for what was to be written."""


@contextmanager
def asking() -> Iterator[None]:
    """Turn the errors of a storage into `FileNotFoundError` or `StorageAway`.

    A full disk of this machine stays the `OSError` that it is, and so does a fault of the program.
    """
    try:
        yield
    except (FileNotFoundError, FolderMissing, StorageAway, *FAULTS):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        status, code = _answer(error)
        if status == NOT_FOUND and code in {"404", "NoSuchKey"}:
            raise FileNotFoundError(errno.ENOENT, "The storage has no such file") from error
        logger.warning("The storage failed: %s (%s)", type(error).__name__, code)
        if {str(status), code} & _FULL:
            raise StorageFull(FULL) from error
        raise StorageAway(
            f"The storage cannot be reached, or refuses ({code}): it is tried again."
        ) from error


def _answer(error: Exception) -> tuple[int, str]:
    """Return the status and code of an answer of S3, else 0 and the name of the error."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(response.get("Error", {}).get("Code", "")) or str(status)
        return int(status), code if code.isalnum() else type(error).__name__
    return 0, type(error).__name__
