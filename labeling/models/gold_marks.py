"""Marks of gold: who said that the truth of a pair is known, and where that came from."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from labeling.models.images import Tile
from labeling.models.imports import Import
from labeling.models.projects import Concept
from labeling.models.questions import Question


class GoldMark(models.Model):
    """What somebody, or an import, said of a tile and a concept (or of a caption) as gold.

    `value` is the truth. Without one they were not sure, or refused a proposal: the pair is not
    put before them as gold again. A mark holds until `ended_at`: the question was marked again, or
    is gold no longer.
    """

    class Origin(models.TextChoices):
        SESSION = "session", "a session"
        PROPOSAL = "proposal", "a proposal"
        QUESTION = "question", "the page of the question"
        RECTANGLE = "rectangle", "a rectangle"
        WHOLE = "whole", "the gold of the whole picture"
        IMPORT = "import", "an import"
        FILE = "file", "a file"

    tile = models.ForeignKey(Tile, models.CASCADE, related_name="gold_marks")
    concept = models.ForeignKey(
        Concept, models.CASCADE, null=True, blank=True, related_name="gold_marks"
    )
    question = models.ForeignKey(
        Question,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="gold_marks",
        help_text="Of a caption alone: a pair is named by its tile and its concept.",
    )
    value = models.BooleanField(null=True, help_text="The truth; null: not sure, or refused.")
    verdict_before = models.BooleanField(
        null=True, help_text="As a reviewer had decided before; null: nobody had."
    )
    origin = models.CharField(max_length=9, choices=Origin.choices)
    imported_by = models.ForeignKey(
        Import, models.SET_NULL, null=True, blank=True, related_name="gold_marks"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    corrects = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="What an earlier import said, which holds again once this one is taken back.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["concept", "tile"], condition=Q(ended_at=None), name="gold_mark_of_pair"
            )
        ]

    def __str__(self) -> str:
        truth = {True: "yes", False: "no", None: "not sure"}[self.value]
        return f"{self.concept or self.question}: {truth}"
