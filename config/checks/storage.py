"""A storage that cannot be written or read, that is another's, or whose clock is off."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.files.storage import storages
from django.db import DatabaseError

from config import installation, storage
from config.checks.database import off
from labeling.stored_folders import StorageAway
from labeling.stored_folders.ownership import StorageNotOurs


def check_storage(**kwargs: Any) -> list[CheckMessage]:
    """Write, read and delete a file; compare the clock of a bucket with this machine's.

    On connections of its own: a process may fork after this.
    """
    files = storages.create_storage(settings.STORAGES["default"])
    if sentence := storage.probe(files):
        if storage.AWAY in sentence:
            return [Warning(sentence, id="config.W030")]
        return [Error(sentence, id="config.E030")]
    return list(_clock(files))


def check_ownership(**kwargs: Any) -> list[CheckMessage]:
    """Look whether the storage is this installation's; the first one to look makes it so."""
    try:
        installation.settle()
    except StorageNotOurs as error:
        return [Error(str(error), id="config.E031")]
    except (StorageAway, DatabaseError, OSError):  # others say so
        pass
    return []


def _clock(files: Any) -> Iterator[CheckMessage]:
    bucket = getattr(files, "bucket", None)
    client = getattr(getattr(bucket, "meta", None), "client", None)
    if bucket is None or client is None:
        return
    before = time.time()
    try:
        answer = client.list_objects_v2(Bucket=bucket.name, MaxKeys=1)
    except Exception:  # files can be written: that they cannot be listed is another's business
        return
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date:
        theirs = parsedate_to_datetime(date).timestamp()  # of a whole second
        yield from off("storage", theirs, before - 1, time.time())
