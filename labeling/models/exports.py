"""A snapshot in a format that other programs read: asked for once, made by a worker."""

from datetime import timedelta

from django.conf import settings
from django.db import models

from labeling.models.imports import ADDRESS_LENGTH
from labeling.models.lease import Leased
from labeling.models.projects import Project
from labeling.models.snapshots import Snapshot


class Export(Leased):
    """An export and its state; the worker that makes it holds the row's lease."""

    lease_duration = timedelta(minutes=1)

    class State(models.TextChoices):
        WRITING = "writing"
        READY = "ready"
        FAILED = "failed"

    project = models.ForeignKey(Project, models.CASCADE, related_name="exports")
    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="exports")
    format = models.CharField(max_length=20)
    options = models.JSONField(
        default=dict, blank=True, help_text="What was chosen other than by default."
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.WRITING)
    progress = models.FloatField(default=0.0, help_text="Share of it that is done, 0 to 1.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Workers that began it.")
    key = models.CharField(
        max_length=32,
        blank=True,
        editable=False,
        help_text="With which pseudonyms of raw answers are made, until it is done.",
    )
    address = models.CharField(
        max_length=ADDRESS_LENGTH,
        blank=True,
        help_text="Of the bucket that it goes to; empty: it is downloaded.",
    )
    folder = models.CharField(
        max_length=200, blank=True, help_text="Where its files lie in the storage."
    )
    counts = models.JSONField(default=dict, blank=True, help_text="What it holds.")
    left_out = models.JSONField(
        default=dict, blank=True, help_text="What of the snapshot it does not hold, by the reason."
    )
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of its MANIFEST.sha256.")
    bytes = models.BigIntegerField(default=0)
    error = models.TextField(blank=True, help_text="Why it failed.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="writing"),
                name="export_being_written",
            )
        ]

    def __str__(self) -> str:
        return f"{self.format} of snapshot no. {self.snapshot_id}"

    @property
    def is_downloadable(self) -> bool:
        """Whether its files are here: it is ready, and went to no bucket."""
        return self.state == self.State.READY and not self.address

    @property
    def status(self) -> str:
        """Its state in words, with how far it is while it is written."""
        if self.state != self.State.WRITING:
            return self.get_state_display().lower()
        if self.is_leased:
            return f"being written, {self.progress:.0%}"
        return "waiting for a worker"

    @property
    def file_name(self) -> str:
        """The name of its archive without a suffix: nothing in it depends on when it was made."""
        return f"{self.project.slug}-{self.snapshot_id}-{self.format}-{self.pk}"
