"""What was withdrawn: how much, and why; never what anybody had answered."""

from django.conf import settings
from django.db import models

from labeling.models.annotators import Annotator
from labeling.models.projects import Project


class Withdrawal(models.Model):
    """Answers and captions of one annotator in one project that were taken back and deleted.

    Of an annotator: answers given = answers stored + archived + withdrawn (`withdrawals.ledger`).
    """

    class Reason(models.TextChoices):
        OWN = "own", "withdrawn by the person"
        REQUEST = "request", "withdrawn at the person's request"
        REMOVED = "removed", "removed by an owner of the project"
        FORGOTTEN = "forgotten", "withdrawn as the person left"
        MERGED = "merged", "answered twice: signed in and before"

    project = models.ForeignKey(Project, models.CASCADE, related_name="withdrawals", db_index=False)
    annotator = models.ForeignKey(
        Annotator,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="withdrawals",
        help_text="Empty: the person has left.",
    )
    reason = models.CharField(max_length=9, choices=Reason.choices)
    answers = models.PositiveIntegerField(default=0, help_text="Deleted; they count for nothing.")
    captions = models.PositiveIntegerField(default=0, help_text="Deleted, with their words.")
    others = models.PositiveIntegerField(
        default=0, help_text="Other people's answers about those captions, archived without words."
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The administrator who did it; empty: the person.",
    )
    created_at = models.DateTimeField("withdrawn at", auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["project", "-id"], name="withdrawal_of_project")]

    def __str__(self) -> str:
        return f"{self.answers:,} answers and {self.captions:,} captions in {self.project}"
