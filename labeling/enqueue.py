"""Hand work to Celery. The database says what is due; the broker only wakes a worker sooner."""

import logging
import time
from typing import Any

from celery import Task
from django.db import transaction

AWAY_SECONDS = 5.0  # for which a broker that failed is not asked again
RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

logger = logging.getLogger(__name__)
_away_until = 0.0  # of the monotonic clock


def enqueue_on_commit(
    task: "Task[..., Any]", *arguments: object, queue: str = "", expires: float = 0
) -> None:
    """Send a task once the current transaction commits; outside a transaction, at once.

    A broker that is away is logged and passed over, for a while without another try, so that nobody
    waits for it again and again: a periodic sweep finds the row later. queue: another one than that
    of the task. expires: seconds after which nobody needs it any more, for what a sweep sends again
    and again: so that messages do not pile up while all workers are busy.
    """
    transaction.on_commit(lambda: _send(task, arguments, queue, expires))


def _send(
    task: "Task[..., Any]", arguments: tuple[object, ...], queue: str, expires: float = 0
) -> None:
    global _away_until
    if time.monotonic() < _away_until:
        return
    options: dict[str, Any] = {"queue": queue} if queue else {}
    options |= {"expires": expires} if expires else {}
    try:  # again if a connection that lay idle turns out to be gone
        task.apply_async(arguments, retry=True, retry_policy=RETRY, **options)
    except Exception as error:  # kombu's own faults too, as of a channel that was closed meanwhile
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("No worker was woken for %s%s: %s", task.name, arguments, error)
