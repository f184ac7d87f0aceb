"""Shares of imports: stretches of a source's pictures that workers take in side by side."""

from django.db import models

from labeling.models.imports import Import
from labeling.models.lease import Leased


class ImportShare(Leased):
    """Some pictures of an import, in the order of its source; one worker at a time is at them.

    Waiting → stored (its pictures are there) → done (what the source says of them is asked). The
    rows go once the import has ended.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        STORED = "stored"
        DONE = "done"

    record = models.ForeignKey(Import, models.CASCADE, related_name="shares", db_index=False)
    number = models.PositiveIntegerField(help_text="From 0, in the order of the source.")
    first = models.PositiveIntegerField(help_text="The place of its first picture, from 0.")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Workers that began it.")
    looked_at = models.PositiveIntegerField(default=0, help_text="Of its pictures.")
    outcome = models.BinaryField(
        default=b"", help_text="What became of them: `labeling.imports.share_outcomes`."
    )

    class Meta:
        ordering = ["record_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["record", "number"], name="share_once_an_import")
        ]

    def __str__(self) -> str:
        return f"share {self.number} of {self.record_id}"
