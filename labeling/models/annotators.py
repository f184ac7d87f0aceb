"""Those who answer, and how accurate they are."""

import secrets
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _

from labeling import prepared
from labeling.aggregation.online import ConfusionCounts

CAME_HERE = Q(site=None)  # themselves, to answer; not to pass at another site


def new_pseudonym() -> str:
    """Return a random name for a visitor."""
    return secrets.token_hex(8)


class AnnotatorManager(models.Manager["Annotator"]):
    def lock(self, pk: int) -> "Annotator":
        """Return the annotator as they are now, locked until the transaction ends.

        Raises Annotator.DoesNotExist.
        """
        annotator = prepared.first(Annotator, "WHERE id = %s FOR NO KEY UPDATE", [pk])
        if annotator is None:
            raise Annotator.DoesNotExist(
                _("What you answered has just been moved or deleted: try again.")
            )
        return annotator


class Annotator(models.Model):
    """A signed-in user, or the pseudonym of a visitor.

    The four expected counts (true and false positives and negatives, without the prior) are what
    the answers showed about the annotator; see `labeling.aggregation.online`. While an annotator is
    suspect, because their answers turned bad, the counts stay as they were.
    """

    COUNTS = "true_positives", "false_negatives", "true_negatives", "false_positives"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="annotator"
    )
    pseudonym = models.CharField(max_length=150, unique=True, default=new_pseudonym)
    site = models.ForeignKey(
        "labeling.Site",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="annotators",
        db_index=False,
        help_text="Where they passed by: a visitor of another site, who answered once to pass.",
    )
    blocked = models.BooleanField(default=False, help_text="Their answers no longer count.")
    true_positives = models.FloatField(default=0.0)
    false_negatives = models.FloatField(default=0.0)
    true_negatives = models.FloatField(default=0.0)
    false_positives = models.FloatField(default=0.0)
    reliability = models.FloatField(default=0.85, help_text="Probability of a right answer.")
    answers_count = models.PositiveIntegerField(default=0)
    labels_count = models.PositiveIntegerField(
        default=0, help_text="How often a label became certain with one of their answers."
    )
    gold_count = models.PositiveIntegerField(default=0)
    gold_right = models.PositiveIntegerField(default=0)
    drift_score = models.FloatField(
        default=0.0, help_text="Evidence that their answers turned bad; from 8 on they are suspect."
    )
    suspect_since = models.DateTimeField(
        null=True, blank=True, help_text="When their answers were found to have turned bad."
    )
    skip_debt = models.PositiveSmallIntegerField(
        default=0, help_text="Skips beyond their answers: with many, the next question waits."
    )
    skipped_at = models.DateTimeField(null=True, blank=True)
    untold_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Until then nobody tells them what their answers change: they withdrew many.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    answered_until = models.DateTimeField(
        null=True, blank=True, help_text="When the time that their last answer took ends."
    )

    objects = AnnotatorManager()

    class Meta:
        ordering = ["-answers_count", "id"]
        indexes = [
            models.Index(fields=["-answers_count"], condition=CAME_HERE, name="annotator_busiest"),
            models.Index(
                fields=["site"], condition=Q(site__isnull=False), name="annotator_of_site"
            ),
            models.Index(
                fields=["-suspect_since"],
                condition=Q(suspect_since__isnull=False),
                name="annotator_suspect",
            ),
        ]

    def __str__(self) -> str:
        return self.user.get_username() if self.user else self.pseudonym

    @property
    def suspect(self) -> bool:
        """Whether their answers turned bad, and they have not been reinstated since."""
        return self.suspect_since is not None

    @property
    def confusion_counts(self) -> ConfusionCounts:
        """The four expected counts; to set them sets the reliability that they imply, too."""
        return ConfusionCounts(
            self.true_positives, self.false_negatives, self.true_negatives, self.false_positives
        )

    @confusion_counts.setter
    def confusion_counts(self, counts: ConfusionCounts) -> None:
        self.true_positives, self.false_negatives = counts.tp, counts.fn
        self.true_negatives, self.false_positives = counts.tn, counts.fp
        self.reliability = (counts.sensitivity + counts.specificity) / 2

    def start_suspect_spell(self, *, start: int, now: datetime) -> None:
        """Distrust the answers from id `start` on. The annotator is still to be saved."""
        self.suspect_since = now
        self.suspect_spells.update_or_create(
            start=start, defaults={"stop": None, "started_at": now, "ended_at": None}
        )

    def extend_suspect_spell(self, *, start: int) -> None:
        """Have the newest spell begin at answer id `start`; others since then are part of it."""
        newest = self.suspect_spells.order_by("-start").first()
        if newest is not None and start < newest.start:
            self.suspect_spells.filter(start__gte=start).exclude(pk=newest.pk).delete()
            self.suspect_spells.filter(pk=newest.pk).update(start=start)

    def end_suspect_spell(self, *, stop: int, now: datetime) -> None:
        """Trust the answers from id `stop` on again. The annotator is still to be saved."""
        self.suspect_since = None
        self.suspect_spells.filter(stop=None).update(stop=stop, ended_at=now)
        self.suspect_spells.filter(start__gte=F("stop")).delete()

    def clear_suspect_spell(self) -> None:
        """Forget the spell that goes on: it was suspected wrongly. The annotator is to be saved."""
        self.suspect_since = None
        self.suspect_spells.filter(stop=None).delete()


class SuspectSpell(models.Model):
    """A time in which an annotator's answers were bad: they are stored and weigh nothing.

    It holds the answers with start <= id < stop. An annotator may have several; one that goes on
    has no stop.
    """

    annotator = models.ForeignKey(
        Annotator, models.CASCADE, related_name="suspect_spells", db_index=False
    )
    start = models.BigIntegerField(help_text="The id of its first answer.")
    stop = models.BigIntegerField(
        null=True, blank=True, help_text="The id from which on answers count again."
    )
    started_at = models.DateTimeField(help_text="When it was found.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["start"]
        constraints = [
            models.UniqueConstraint(fields=["annotator", "start"], name="suspect_spell_start"),
            models.UniqueConstraint(
                fields=["annotator"], condition=Q(stop=None), name="one_suspect_spell_goes_on"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator}: answers {self.start} to {self.stop or 'now'}"
