"""Challenges: the tiles and questions that one annotator is shown at once."""

import uuid
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from labeling.models.annotators import Annotator
from labeling.models.images import Tile
from labeling.models.projects import Concept, Project


class Challenge(models.Model):
    """Tiles that one annotator is asked about together; short-lived, answered once.

    `questions` and `reasons` are in the order of the tiles on the screen. A tile whose reason is
    `SHOWN` only completes its picture and is not asked about. A `write` challenge has no question
    yet: it names its tile, and its answer makes a question, which it names from then on. A `text`
    challenge shows `sentences` instead of its tile.
    """

    SHOWN = "shown"  # reason of a tile that only completes its picture
    RESERVED = frozenset({"wanted", "random"})  # reasons for which an open question is reserved

    class Kind(models.TextChoices):
        GRID = "grid", "3 × 3 tiles of many pictures"
        SPLIT = "split", "4 × 4 tiles of one picture"
        VERIFY = "verify", "is this true of the picture?"
        WRITE = "write", "write what you see"
        TEXT = "text", "which of two sentences says the same?"

    class SkipReason(models.TextChoices):
        CUT_OFF = "cut_off", _("cut off")
        OFFENSIVE = "offensive", _("offensive")
        LANGUAGE = "language", _("not my language")
        BROKEN = "broken", _("broken")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="challenges", db_index=False)
    annotator = models.ForeignKey(
        Annotator, models.CASCADE, related_name="challenges", db_index=False
    )
    kind = models.CharField(max_length=6, choices=Kind.choices)
    concept = models.ForeignKey(Concept, models.CASCADE, null=True, blank=True, db_index=False)
    tile = models.ForeignKey(Tile, models.CASCADE, null=True, blank=True, db_index=False)
    questions = ArrayField(models.BigIntegerField(), default=list)
    tiles = ArrayField(models.BigIntegerField(), default=list)
    reasons = ArrayField(models.CharField(max_length=9), default=list)
    sentences = ArrayField(
        models.BigIntegerField(),
        default=list,
        blank=True,
        help_text="Of a text challenge, the captions as shown: what is compared with, the first "
        "and the second option. One of the options is its question.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    reserved_until = models.DateTimeField(
        null=True, blank=True, help_text="When the reservations of its open questions expire."
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    ahead = models.BooleanField(default=False, help_text="Fetched to be answered offline.")
    skipped = models.BooleanField(default=False)
    skip_reason = models.CharField(max_length=9, choices=SkipReason.choices, blank=True)
    passed = models.BooleanField(null=True, blank=True, help_text="Right on the gold tiles.")
    seconds = models.FloatField(null=True, blank=True, help_text="From shown to answered.")
    labels = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many labels became certain with its answer."
    )
    undos = models.PositiveSmallIntegerField(
        default=0, help_text="How often its answer was taken back and it was asked again."
    )
    # What its answer changed, by which it is taken back (`labeling.withdrawals.undo`); emptied once
    # that is too late.
    states_before = ArrayField(
        models.CharField(max_length=9, blank=True),
        default=list,
        editable=False,
        help_text="The state of each question just before; empty where nothing was recorded.",
    )
    posteriors_after = ArrayField(
        models.FloatField(),
        default=list,
        editable=False,
        help_text="The probability of each question just after; -1 where nothing was recorded.",
    )
    annotator_before = ArrayField(
        models.FloatField(),
        default=list,
        editable=False,
        help_text="The annotator's figures just before: `answers.FIGURES`.",
    )
    annotator_after = ArrayField(
        models.FloatField(), default=list, editable=False, help_text="The same just after."
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["annotator", "expires_at"],
                condition=Q(answered_at=None),
                name="challenge_pending",
            ),
            models.Index(  # by which nothing is asked again that was skipped of late
                fields=["annotator", "-answered_at"],
                condition=Q(skipped=True),
                name="challenge_skipped",
            ),
            models.Index(fields=["-created_at"], name="challenge_newest"),
            models.Index(
                fields=["project", "-answered_at"],
                condition=~Q(skip_reason=""),
                name="challenge_skip_reason",
            ),
            models.Index(fields=["annotator", "-answered_at"], name="challenge_by_annotator"),
            models.Index(fields=["project"], condition=Q(undos__gt=0), name="challenge_undone"),
            models.Index(fields=["tile"], condition=Q(tile__isnull=False), name="challenge_tile"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({str(self.id)[:8]})"

    def reservations(self) -> dict[int, datetime]:
        """Return the expiry of its reservations by question id: of its open questions."""
        if self.reserved_until is None:
            return {}
        return {
            question: self.reserved_until
            for question, reason in zip(self.questions, self.reasons, strict=False)
            if reason in self.RESERVED
        }
