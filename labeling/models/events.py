"""What happened in a project that matters: the rows of its history."""

from django.conf import settings
from django.db import models

from labeling.models.projects import Project


class Event(models.Model):
    """A change that somebody made, or that happened by itself; rows are only ever added."""

    class Kind(models.TextChoices):
        PROJECT = "project", "project"
        MEMBERS = "members", "members and invitations"
        IMPORT = "import", "imports and removals"
        CONCEPT = "concept", "concepts"
        GOLD = "gold", "gold"
        DECISION = "decision", "decisions"
        ANNOTATOR = "annotator", "annotators"
        SNAPSHOT = "snapshot", "snapshots"
        RUN = "run", "training runs"
        MODEL = "model", "models"

    project = models.ForeignKey(
        Project,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="events",
        db_index=False,
        help_text="Empty: it concerns all projects, like the blocking of an annotator.",
    )
    kind = models.CharField(max_length=9, choices=Kind.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    actor = models.CharField(
        max_length=150, blank=True, help_text="The user's name then; empty: it happened by itself."
    )
    message = models.TextField(help_text="A sentence: what was done, and to what.")
    object_type = models.CharField(max_length=40, blank=True, help_text="Such as question.")
    object_id = models.CharField(max_length=40, blank=True)
    annotator_id = models.BigIntegerField(
        null=True, blank=True, help_text="Of an event about an annotator."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "-id"], name="event_of_project"),
            models.Index(fields=["project", "kind", "-id"], name="event_of_kind"),
        ]

    def __str__(self) -> str:
        return self.message
