"""An immutable folder of labels: what is exported and what is trained on."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.jobs import Job
from labeling.models.projects import Project


class Snapshot(Job):
    """A folder of labels and its state; the worker that writes it holds the row's lease."""

    UNDER_WAY = "freezing"
    BEING_MADE = "freezing, {:.0%} written"

    class State(models.TextChoices):
        FREEZING = "freezing"
        READY = "ready"
        FAILED = "failed"

    project = models.ForeignKey(Project, models.CASCADE, related_name="snapshots")
    state = models.CharField(max_length=8, choices=State.choices, default=State.FREEZING)
    sha256 = models.CharField(
        max_length=64,
        blank=True,
        db_index=True,
        help_text="Of all that it holds, and of what that was made from; models keep it.",
    )
    folder = models.CharField(max_length=400, blank=True, help_text="Its name in the storage.")
    include_generated = models.BooleanField(default=False)
    frozen_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The moment whose labels it holds."
    )
    newest_image = models.BigIntegerField(
        default=0, editable=False, help_text="The id of the newest picture when it was written."
    )
    removed = models.PositiveIntegerField(
        default=0, editable=False, help_text="Pictures that it holds and that were removed since."
    )
    newest_answer = models.BigIntegerField(
        default=0, editable=False, help_text="The id of the newest answer when it was written."
    )
    newest_caption = models.BigIntegerField(
        default=0, editable=False, help_text="The id of the newest caption when it was written."
    )
    withdrawn = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Answers and captions that it holds and that were withdrawn since.",
    )
    restated = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Pictures that it holds of which an import was taken back since: texts, boxes or "
        "gold.",
    )
    blocked_annotators = ArrayField(
        models.BigIntegerField(),
        default=list,
        blank=True,
        editable=False,
        help_text="The ids of those whose answers it holds and who were blocked since.",
    )
    counts = models.JSONField(default=dict, blank=True)
    made_from = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="Answers and captions up to when, settings and aggregation: as in its manifest.",
    )
    successor = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="predecessors",
        help_text="What it was issued again as, once something that it holds was removed.",
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="freezing"),
                name="snapshot_being_frozen",
            )
        ]

    def __str__(self) -> str:
        return f"{self.project} no. {self.pk} ({self.sha256[:8] or self.state})"

    @property
    def moment(self) -> datetime:
        """Whose labels it holds; until it was frozen, when it was asked for."""
        return self.frozen_at or self.created_at

    @property
    def warning(self) -> str:
        """What was removed or withdrawn since, in sentences; empty: nothing."""
        sentences = []
        if self.removed:
            noun, verb = ("picture", "was") if self.removed == 1 else ("pictures", "were")
            sentences.append(f"It holds {self.removed:,} {noun} that {verb} removed since.")
        if self.withdrawn:
            noun = "answer or caption" if self.withdrawn == 1 else "answers and captions"
            verb = "was" if self.withdrawn == 1 else "were"
            sentences.append(f"It holds {self.withdrawn:,} {noun} that {verb} withdrawn since.")
        if self.restated:
            noun = "picture" if self.restated == 1 else "pictures"
            said = f"what imports said of {self.restated:,} {noun}"
            sentences.append(f"It holds {said}, which was taken back since.")
        if self.blocked_annotators:
            number = len(self.blocked_annotators)
            noun, verb = ("annotator", "was") if number == 1 else ("annotators", "were")
            sentences.append(
                f"It holds answers or captions of {number:,} {noun} who {verb} blocked since."
            )
        return " ".join(sentences)
