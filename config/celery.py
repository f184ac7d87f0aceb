"""The Celery app; tasks live in each app's `tasks` module."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_embedded_init, worker_process_init

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


worker_process_init.connect(die_with_the_worker)
beat_embedded_init.connect(die_with_the_worker)
