"""Answers: what one annotator says about one question, and which answers count."""

from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from labeling.models.annotators import Annotator, SuspectSpell
from labeling.models.challenges import Challenge
from labeling.models.imports import Import
from labeling.models.questions import Question

# The same conditions as those of AnswerQuerySet, for SQL that joins `answer` and `annotator`.
COUNTED = "NOT annotator.blocked"
TRUSTED = f"""{COUNTED} AND NOT EXISTS (
    SELECT FROM labeling_suspectspell AS spell
    WHERE spell.annotator_id = annotator.id AND spell.start <= answer.id
        AND (spell.stop IS NULL OR answer.id < spell.stop)
)"""


class AnswerQuerySet(models.QuerySet["Answer"]):
    """Which answers count, and which of them weigh anything."""

    def counted(self) -> Self:
        """Answers that are counted: all but those of blocked annotators."""
        return self.filter(annotator__blocked=False)

    def trusted(self) -> Self:
        """Answers that weigh something: counted ones outside their annotator's suspect spells."""
        spell = SuspectSpell.objects.filter(
            Q(stop=None) | Q(stop__gt=OuterRef("pk")),
            annotator=OuterRef("annotator"),
            start__lte=OuterRef("pk"),
        )
        return self.counted().filter(~Exists(spell))


class Answer(models.Model):
    """An annotator's answer to a question; never edited, deleted only at its author's request.

    What a removal of its picture, or taking back its import, takes away is kept in the archive
    (`RemovedAnswer`).
    """

    class Reason(models.TextChoices):
        GOLD = "gold"
        CHECK = "check"
        RANDOM = "random"
        WANTED = "wanted"
        IMPORTED = "imported"

    question = models.ForeignKey(Question, models.CASCADE, related_name="answers", db_index=False)
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="answers", db_index=False)
    challenge = models.ForeignKey(
        Challenge, models.SET_NULL, null=True, blank=True, related_name="answers"
    )
    value = models.BooleanField(help_text="True: the text is true of the tile.")
    reason = models.CharField(max_length=9, choices=Reason.choices)
    seconds = models.FloatField(null=True, blank=True)
    probability_before = models.FloatField(
        null=True, blank=True, help_text="The probability of yes just before it."
    )
    weight = models.FloatField(
        default=1.0,
        db_default=1.0,
        help_text="What its challenge weighs, by those of its answers whose truth is known.",
    )
    imported_by = models.ForeignKey(
        Import, models.SET_NULL, null=True, blank=True, related_name="answers", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AnswerQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["question", "annotator"], name="answer_once_a_question")
        ]
        indexes = [
            models.Index(fields=["annotator", "-created_at"], name="answer_by_annotator"),
            models.Index(fields=["-id"], condition=Q(reason="random"), name="answer_at_random"),
            models.Index(
                fields=["imported_by", "annotator", "question"],
                condition=Q(imported_by__isnull=False),
                name="answer_of_import",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator}: {'yes' if self.value else 'no'}"
