"""A snapshot in a format that other programs read: asked for once, made by a worker."""

from django.db import models

from labeling.models.imports import ADDRESS_LENGTH
from labeling.models.jobs import Job
from labeling.models.projects import Project
from labeling.models.snapshots import Snapshot


class Export(Job):
    """An export and its state; the worker that makes it holds the row's lease."""

    UNDER_WAY = "writing"
    BEING_MADE = "being written, {:.0%}"
    ENDED = {"key": ""}  # whoever has the file cannot be told by it who answered

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
    def title(self) -> str:
        """What its project's history calls it."""
        return f"Export {self.pk} ({self})"

    @property
    def file_name(self) -> str:
        """The name of its archive without a suffix: nothing in it depends on when it was made."""
        return f"{self.project.slug}-{self.snapshot_id}-{self.format}-{self.pk}"
