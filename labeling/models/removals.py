"""What was removed: pictures, and the answers about them, which are kept for the audit."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from labeling.models.annotators import Annotator
from labeling.models.imports import Import
from labeling.models.projects import Concept, Project


class RemovedImage(models.Model):
    """A picture that somebody removed: the row is all that is left of it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="removed_images")
    image_id = models.BigIntegerField(help_text="The id that it had.")
    sha256 = models.CharField(max_length=64, help_text="Of its file.")
    source = models.CharField(max_length=300, help_text="The path that it was imported from.")
    generated = models.BooleanField(default=False)
    answers = models.PositiveIntegerField(default=0, help_text="Answers about it, all kept.")
    reason = models.CharField(max_length=300)
    undone = models.ForeignKey(
        Import,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="removed_images",
        help_text="The import that was taken back; empty: it was removed by itself.",
    )
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    file = models.CharField(
        max_length=200, blank=True, help_text="In the storage, until it is deleted there."
    )
    created_at = models.DateTimeField("removed at", auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=~Q(file=""), name="removed_image_with_file")
        ]

    def __str__(self) -> str:
        return self.source


class RemovedAnswer(models.Model):
    """An answer that was removed, with its question or its import; it counts for nothing.

    It is kept for the audit.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="removed_answers")
    image = models.ForeignKey(
        RemovedImage,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="removed_answers",
        help_text="Empty: the caption alone was taken back.",
    )
    image_sha256 = models.CharField(max_length=64)
    image_source = models.CharField(max_length=300)
    grid = models.PositiveSmallIntegerField(help_text="The tile's: 1 = whole, 4 = one of 4 × 4.")
    left = models.PositiveIntegerField()
    top = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    question_id = models.BigIntegerField(help_text="The id that the question had.")
    concept = models.ForeignKey(
        Concept, models.SET_NULL, null=True, blank=True, related_name="removed_answers"
    )
    text = models.CharField(max_length=500, help_text="The concept's name, or the caption.")
    verdict = models.BooleanField(null=True, blank=True, help_text="The truth where it was known.")
    answer_id = models.BigIntegerField(unique=True, help_text="The id that the answer had.")
    annotator = models.ForeignKey(
        Annotator, models.SET_NULL, null=True, blank=True, related_name="removed_answers"
    )
    annotator_name = models.CharField(max_length=150)
    challenge_id = models.UUIDField(null=True, blank=True)
    value = models.BooleanField(help_text="True: the text is true of the tile.")
    reason = models.CharField(max_length=9, help_text="Why it was asked.")
    seconds = models.FloatField(null=True, blank=True)
    probability_before = models.FloatField(null=True, blank=True)
    answered_at = models.DateTimeField()
    undone = models.ForeignKey(
        Import,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="removed_answers",
        help_text="The import of answers that was taken back.",
    )
    created_at = models.DateTimeField("removed at", auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.annotator_name}, {self.text}: {'yes' if self.value else 'no'}"
