"""Questions whose answers were taken back: their annotators are asked them no more."""

from django.db import models
from django.db.models import Q

from labeling.models.annotators import Annotator


class TakenBack(models.Model):
    """A question that somebody answered, and whose answer they undid or withdrew.

    The question is an id: what is removed meanwhile leaves a row that nobody reads.
    """

    annotator = models.ForeignKey(
        Annotator,
        models.SET_NULL,
        null=True,
        related_name="taken_back",
        db_index=False,
        help_text="Empty: the person has left.",
    )
    question = models.BigIntegerField()
    address = models.BigIntegerField(
        default=0,
        help_text="The id of the `AddressDay` from which it was taken back; 0: its day is over, or "
        "nobody knows.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["annotator", "question"], name="taken_back_once_a_question"
            )
        ]
        indexes = [
            models.Index(fields=["address"], condition=~Q(address=0), name="taken_back_at_address")
        ]

    def __str__(self) -> str:
        return f"question {self.question}"
