"""Signs of life of web processes, workers and schedulers, wherever they run."""

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

ALIVE = timedelta(seconds=45)  # since a worker's last sign of life
PATIENCE = timedelta(seconds=10)  # until it is said: a worker may just be started again


class Heartbeat(models.Model):
    """A process, which writes its row every few seconds while it runs."""

    class Kind(models.TextChoices):
        WORKER = "worker"
        SCHEDULER = "scheduler"
        WEB = "web"

    name = models.CharField(max_length=200, primary_key=True)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    queues = ArrayField(
        models.CharField(max_length=100), default=list, help_text="From which a worker takes tasks."
    )
    at = models.DateTimeField(help_text="The last one, by the database's clock.")
    worked_at = models.DateTimeField(
        null=True, blank=True, help_text="When a scheduler sent its last task."
    )

    version = models.CharField(max_length=40, blank=True, help_text="Of its code.")
    migrations = models.CharField(
        max_length=16, blank=True, help_text="By which processes that know the same ones are told."
    )
    key = models.CharField(
        max_length=16, blank=True, help_text="By which processes with the same SECRET_KEY are told."
    )

    def __str__(self) -> str:
        return self.name


def workers_are_missing(queue: str, *, since: datetime) -> bool:
    """Return whether something has waited in a queue for a while of which no worker takes any."""
    if timezone.now() - since < PATIENCE:
        return False
    alive = Heartbeat.objects.filter(kind=Heartbeat.Kind.WORKER, at__gt=Now() - ALIVE)
    return not alive.filter(queues__contains=[queue]).exists()
