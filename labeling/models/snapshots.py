"""An immutable folder of labels: what is exported and what is trained on."""

from datetime import timedelta

from django.conf import settings
from django.db import models

from labeling.models.lease import Leased
from labeling.models.projects import Project


class Snapshot(Leased):
    """A folder of labels and its state; the worker that writes it holds the row's lease."""

    lease_duration = timedelta(minutes=1)

    class State(models.TextChoices):
        FREEZING = "freezing"
        READY = "ready"
        FAILED = "failed"

    project = models.ForeignKey(Project, models.CASCADE, related_name="snapshots")
    state = models.CharField(max_length=8, choices=State.choices, default=State.FREEZING)
    sha256 = models.CharField(max_length=64, blank=True)
    folder = models.CharField(max_length=400, blank=True)
    include_generated = models.BooleanField(default=False)
    counts = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.project} no. {self.pk} ({self.sha256[:8] or self.state})"
