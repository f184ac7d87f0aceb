"""Signs of life of web processes, workers and schedulers, wherever they run."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


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
