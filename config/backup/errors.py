"""Why a backup cannot be made or restored."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import DatabaseError

from config import storage
from labeling.stored_folders import StorageAway


class BackupError(Exception):
    """The message says what to do."""


@contextmanager
def in_a_sentence(place: str) -> Iterator[None]:
    """Raise CommandError for whatever database, storage or place refuse."""
    try:
        yield
    except (CommandError, ImproperlyConfigured):
        raise
    except (BackupError, DatabaseError, StorageAway) as error:
        raise CommandError(str(error).strip()) from error
    except Exception as error:
        if not isinstance(error, OSError) and not _is_of_a_bucket(error):
            raise
        raise CommandError(
            f"Between the storage and {place}, something is refused: {storage.reason(error)}."
            " What was copied is there: begin again once that is mended."
        ) from error


def _is_of_a_bucket(error: Exception) -> bool:
    """Whether an error is that of a client of S3 or the like."""
    return type(error).__module__.partition(".")[0] in {"boto3", "botocore", "google", "s3transfer"}
