"""Shares of recomputations: stretches of questions that workers write side by side."""

from datetime import timedelta

from django.db import models

from labeling.models.lease import Leased
from labeling.models.recomputations import Recomputation


class RecomputationShare(Leased):
    """Some questions of which a recomputation found other posteriors; one worker writes them.

    The rows go once all are written.
    """

    lease_duration = timedelta(seconds=30)

    recomputation = models.ForeignKey(
        Recomputation, models.CASCADE, related_name="shares", db_index=False
    )
    number = models.PositiveIntegerField(help_text="From 0, in the order of the questions' ids.")
    folder = models.CharField(max_length=100, help_text="What was found, in the storage.")
    first = models.PositiveIntegerField(help_text="The place of its first question in there.")
    stop = models.PositiveIntegerField(help_text="The place behind its last one.")
    done = models.BooleanField(default=False)
    changed = models.PositiveIntegerField(default=0, help_text="Questions that were changed.")

    class Meta:
        ordering = ["recomputation_id", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["recomputation", "number"], name="share_once_a_recomputation"
            )
        ]

    def __str__(self) -> str:
        return f"share {self.number} of the recomputation of {self.recomputation_id}"
