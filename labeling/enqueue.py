"""Hand work to Celery. The database says what is due; the broker only wakes a worker sooner."""

import logging
from typing import Any

from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def enqueue_on_commit(task: "Task[..., Any]", *arguments: object) -> None:
    """Send a task once the current transaction commits; outside a transaction, at once.

    A broker that is away is logged and passed over: a periodic sweep finds the row later.
    """

    def send() -> None:
        try:
            task.apply_async(arguments, retry=False)
        except OperationalError as error:
            logger.warning("No worker was woken for %s%s: %s", task.name, arguments, error)

    transaction.on_commit(send)
