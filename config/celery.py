"""The Celery app; tasks live in each app's `tasks` module."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_embedded_init, beat_init, worker_init, worker_process_init

from labeling import processes

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tessera")
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
