"""What visitors of other sites answered to pass there."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from labeling.models.annotators import Annotator
from labeling.models.sites import Site


class Attempt(models.Model):
    """One visitor's attempt to pass at a site: one or two rounds through one door.

    What it asks is drawn when it begins, for both rounds; the arrays hold an entry a question, in
    the order in which they are shown, and the first `first_round` of them are the first round's.
    Its answers are judged at once by those questions whose truth is known, and become answers of
    an annotator a little later (`labeling.captcha.intake`).
    """

    class Door(models.TextChoices):
        GRID = "grid", "tiles of many pictures"
        TEXT = "text", "questions in sentences alone"
        WORK = "work", "a computation by the device"
        OPEN = "open", "let pass unasked: nothing could be asked"

    class State(models.TextChoices):
        ASKED = "asked", "waits for answers"
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.CASCADE, related_name="attempts", db_index=False)
    host = models.CharField(max_length=253, help_text="Of the page that shows it.")
    scored = models.BooleanField(
        default=False, help_text="Executed as reCAPTCHA v3 is: its server wants a score."
    )
    action = models.CharField(max_length=100, blank=True, help_text="As the page names it.")
    door = models.CharField(max_length=4, choices=Door.choices)
    address = models.CharField(
        max_length=32, help_text="Keyed hash of the visitor's address, by a key of the day."
    )
    threshold = models.FloatField(default=0.0, help_text="Evidence in nats with which it passes.")
    concepts = ArrayField(
        models.BigIntegerField(), default=list, help_text="Of the grid, that of each round."
    )
    questions = ArrayField(models.BigIntegerField(), default=list)
    tiles = ArrayField(models.BigIntegerField(), default=list)
    reasons = ArrayField(models.CharField(max_length=9), default=list)
    known = ArrayField(
        models.FloatField(), default=list, help_text="Probability of yes where known; else -1."
    )
    predicted = ArrayField(
        models.FloatField(), default=list, help_text="The model's probability of yes; else -1."
    )
    sentences = ArrayField(
        models.BigIntegerField(),
        default=list,
        help_text="Of the text door, three captions a question: what is compared with, and two "
        "options.",
    )
    first_round = models.PositiveSmallIntegerField(default=0, help_text="Its questions.")
    work = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        help_text="Of the door without a test: how much is to be computed.",
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=6, choices=State.choices, default=State.ASKED)
    values = ArrayField(models.BooleanField(), default=list, help_text="Yes or no, as answered.")
    round_seconds = ArrayField(
        models.FloatField(), default=list, help_text="From shown to answered, of each round."
    )
    evidence = models.FloatField(null=True, blank=True, help_text="For a person, in nats.")
    suspected = models.BooleanField(
        default=False, help_text="Answered faster than people can, or as the project's model does."
    )
    answered_at = models.DateTimeField(null=True, blank=True, help_text="The last round.")
    passed_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    taken_in_at = models.DateTimeField(
        null=True, blank=True, help_text="When its answers were recorded."
    )
    annotator = models.OneToOneField(
        Annotator, models.SET_NULL, null=True, blank=True, related_name="attempt"
    )
    labels = models.PositiveSmallIntegerField(
        default=0, help_text="That became certain with its answers."
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["site", "-created_at"], name="attempt_of_site"),
            models.Index(fields=["address", "-created_at"], name="attempt_of_address"),
            models.Index(
                fields=["created_at"],
                condition=Q(taken_in_at=None) & ~Q(values=[]),
                name="attempt_to_take_in",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(verified_at=None) | Q(verified_at__gte=F("passed_at")),
                name="attempt_verified_once_passed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_door_display()} ({str(self.id)[:8]})"
