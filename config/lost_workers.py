"""Tasks over which processes of a worker die, as for lack of memory: tried again, but not for ever.

A task is taken for the same whoever sends it, by its name and arguments: sweeps send what is due
again and again. Losses are counted by the worker whose processes died. What a worker that is killed
as a whole leaves behind is nobody's fault, and is done again.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery import Task as CeleryTask
from celery.exceptions import WorkerLostError
from celery.worker.request import Request as CeleryRequest
from celery.worker.state import task_ready

ATTEMPTS = 3  # losses within REMEMBERED, after which a task is left alone for a while
PAUSE = 600.0  # seconds; then it is tried once more, and so on
REMEMBERED = 3600.0  # seconds

Key = tuple[str, str]  # a task's name and its arguments

logger = logging.getLogger(__name__)


class Losses:
    """When processes died over which task."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[Key, list[float]] = {}

    def count(self, key: Key) -> bool:
        """Count a loss; return whether the task is left alone now."""
        self._forget()
        self._times.setdefault(key, []).append(self._clock())
        return self.pauses(key)

    def pauses(self, key: Key) -> bool:
        """Return whether a task is left alone for now."""
        times = self._times.get(key, [])
        return len(times) >= ATTEMPTS and self._clock() - times[-1] < PAUSE

    def _forget(self) -> None:
        oldest = self._clock() - REMEMBERED
        recent = {key: [at for at in times if at > oldest] for key, times in self._times.items()}
        self._times = {key: times for key, times in recent.items() if times}


_losses = Losses()


class Request(CeleryRequest):  # type: ignore[misc]
    """A message that asks for a task, in the worker's main process."""

    def revoked(self) -> bool:
        """Return whether it is not to be begun."""
        if super().revoked():
            return True
        if not _losses.pauses(self._key):
            return False
        logger.warning("%s%s waits: processes of this worker died over it.", *self._key)
        self.acknowledge()
        return True

    def on_failure(self, exc_info: Any, *arguments: Any, **options: Any) -> Any:
        """Requeue what a process died over, or leave it alone after a few times."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if not isinstance(error, (WorkerLostError, MemoryError)):
            return super().on_failure(exc_info, *arguments, **options)
        task_ready(self)
        if _losses.count(self._key):
            logger.error(
                "%s%s is left alone for %d minutes: processes of this worker died over it %d times."
                " Is there enough memory?",
                *(*self._key, PAUSE // 60, ATTEMPTS),
            )
            self.acknowledge()
        else:
            logger.warning("%s%s is tried again: %r", *self._key, error)
            self.reject(requeue=True)
        return None

    @property
    def _key(self) -> Key:
        return self.name, str(self.argsrepr or "()")


class Task(CeleryTask):  # type: ignore[misc]
    """Any task of Tessera's."""

    Request = f"{__name__}:{Request.__name__}"
