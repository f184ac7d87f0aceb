"""Those who answer, and how far they are believed."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q


def new_pseudonym() -> str:
    return secrets.token_hex(8)


class Annotator(models.Model):
    """A signed-in user, or the pseudonym of a visitor.

    The four expected counts (true and false positives and negatives, beyond the prior) are
    what the annotator's answers showed; `labeling.aggregation.online` reads them.

    Whose answers turned bad is suspect: those from answer `suspect_from` on (to before
    `suspect_to`, where they proved themselves again on gold) weigh nothing.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="annotator"
    )
    pseudonym = models.CharField(max_length=80, unique=True, default=new_pseudonym)
    blocked = models.BooleanField(default=False, help_text="Their answers no longer count.")
    true_positives = models.FloatField(default=0.0)
    false_negatives = models.FloatField(default=0.0)
    true_negatives = models.FloatField(default=0.0)
    false_positives = models.FloatField(default=0.0)
    reliability = models.FloatField(default=0.85, help_text="Probability of a right answer.")
    answers_count = models.PositiveIntegerField(default=0)
    labels_count = models.PositiveIntegerField(
        default=0, help_text="Labels that became certain with one of their answers."
    )
    gold_count = models.PositiveIntegerField(default=0)
    gold_right = models.PositiveIntegerField(default=0)
    drift_score = models.FloatField(
        default=0.0, help_text="Evidence that answers turned bad; 0 is none, 8 makes suspect."
    )
    suspect_since = models.DateTimeField(
        null=True, blank=True, help_text="When their answers were found to have turned bad."
    )
    suspect_from = models.BigIntegerField(null=True, blank=True, editable=False)
    suspect_to = models.BigIntegerField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-answers_count", "id"]
        indexes = [
            models.Index(fields=["-answers_count"], name="annotator_busiest"),
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
        """Whether their answers turned bad, and they have not proved themselves again."""
        return self.suspect_since is not None
