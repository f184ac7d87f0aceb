"""Signs of life of this process, while it works: a row for metrics, and a file for probes.

The file lies in `DATA_DIR/heartbeats`, and `python -m config.monitoring.alive` looks at it: a probe
that is asked every few seconds loads neither Django nor the database's driver.
"""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from config.monitoring import alive, identity
from labeling.models import Heartbeat

SECONDS = 10.0  # between two of them
FORGOTTEN = timedelta(days=1)  # after which the row of one that stopped is deleted

logger = logging.getLogger(__name__)
_stop = threading.Event()
_worked = threading.Event()
_own: tuple[str, ...] = ()  # kind and name


def begin(*, name: str, kind: str, queues: Sequence[str] = (), in_file: bool = True) -> None:
    """Give signs of life from a thread, from now on: in a row, and for probes in a file."""
    global _own
    _own = kind, name
    _stop.clear()
    arguments = (name, kind, list(queues), in_file)
    threading.Thread(target=_beat, args=arguments, name="heartbeat", daemon=True).start()


def end() -> None:
    """Give none any more: whoever ends in order is not missed."""
    _stop.set()
    if _own:
        alive.remove(settings.DATA_DIR, *_own)


def note_work(**signal: Any) -> None:
    """Note that a scheduler sent a task."""
    _worked.set()


def write(name: str, kind: str, queues: list[str], in_file: bool = True) -> None:
    """Write one sign of life. Raises OSError where the file alone cannot be written."""
    no_file: OSError | None = None
    if in_file:
        try:
            alive.touch(settings.DATA_DIR, kind, name)
        except OSError as error:
            no_file = error
    values: dict[str, Any] = {"kind": kind, "queues": queues, "at": Now(), **identity.own()}
    if _worked.is_set():
        _worked.clear()
        values["worked_at"] = Now()
    Heartbeat.objects.update_or_create(name=name, defaults=values)
    if no_file:
        raise no_file


def forget() -> None:
    """Delete the rows and files of those that stopped long ago."""
    alive.forget(settings.DATA_DIR)
    Heartbeat.objects.filter(at__lt=Now() - FORGOTTEN).delete()


def _beat(name: str, kind: str, queues: list[str], in_file: bool) -> None:
    failed = False
    while True:
        try:
            write(name, kind, queues, in_file)
            forget()
            failed = False
        except (DatabaseError, OSError) as error:
            if not failed:
                logger.warning("A sign of life could not be written: %s", error)
            failed = True
        finally:
            connection.close()
        if _stop.wait(SECONDS):
            return
