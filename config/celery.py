"""The Celery app; tasks live in each app's `tasks` module."""

import os
from typing import Any

from amqp.exceptions import PreconditionFailed
from celery import Celery
from celery.app.amqp import AMQP
from celery.signals import beat_embedded_init, beat_init, worker_init, worker_process_init
from kombu import connection
from redis.exceptions import ResponseError

from labeling import processes

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

RECONNECT_EVERY = 3.0  # seconds at most between two tries to reach a broker that is away


class Connection(connection.Connection):
    """A connection to the broker, which a worker has again soon after the broker is back."""

    def ensure_connection(self, *arguments: Any, **options: Any) -> Any:
        """Connect, with waits that do not grow to half a minute as the library's would."""
        waits = {"interval_start": 1.0, "interval_step": 1.0, "interval_max": RECONNECT_EVERY}
        return super().ensure_connection(*arguments, **{**waits, **options})  # type: ignore[no-untyped-call]

    @property
    def connection_errors(self) -> tuple[type[Exception], ...]:
        """What a worker connects again after; Celery would end it after the last two of these.

        RabbitMQ closes the channel of a worker whose task takes longer than its consumer_timeout
        (half an hour by default). The task goes on: its row is leased. A Redis or Valkey without
        room refuses what a worker writes.
        """
        return (*super().connection_errors, PreconditionFailed, ResponseError)


class Messages(AMQP):  # type: ignore[misc]
    """How Celery's messages are sent and taken, over such connections."""

    Connection = Connection


app = Celery("tessera", amqp=Messages, task_cls="config.lost_workers:Task")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_imported_by = os.getpid()


def die_with_the_worker(**signal: Any) -> None:
    """Let a child of the worker die with it, so that no killed worker leaves one behind."""
    if _imported_by != os.getpid():
        processes.die_with(_imported_by)


def check_worker(**signal: Any) -> None:
    """Let a worker begin only where it can work."""
    from config import start  # once the settings are read

    start.check("worker")


def check_scheduler(**signal: Any) -> None:
    """Let a scheduler begin only where it can work."""
    from config import start

    start.check("scheduler")


worker_init.connect(check_worker)
beat_init.connect(check_scheduler)
worker_process_init.connect(die_with_the_worker)
beat_embedded_init.connect(die_with_the_worker)
