"""What is nominated to be asked about each concept, and how far its random slice has come."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.projects import Concept, Project


class Pool(models.Model):
    """What is nominated to be asked about a concept, on tiles of one grid: `labeling.pools`.

    The random slice goes through all pictures once, in the circular order of their random keys
    that begins at `start`. All pictures before its frontier are in it, so that they are a uniform
    sample of all; where pictures are stored later at a place before it, the frontier goes back.
    """

    concept = models.ForeignKey(Concept, models.CASCADE, related_name="pools", db_index=False)
    grid = models.PositiveSmallIntegerField(default=1, help_text="That of its tiles.")
    start = models.FloatField(help_text="Uniform in [0, 1), drawn once.")
    frontier = models.FloatField(
        default=0.0,
        help_text="Share of the circle, from `start`, of which all pictures are in the slice; at "
        "1 no pair is left to nominate.",
    )
    random = models.PositiveIntegerField(
        default=0, help_text="Unanswered questions of the slice when it was last filled."
    )
    doubtful = models.PositiveIntegerField(default=0, help_text="… that the model doubted.")
    likely = models.PositiveIntegerField(default=0, help_text="… that were likely to be true.")
    fillings = models.PositiveIntegerField(default=0, help_text="How often it was filled.")
    filled_at = models.DateTimeField(null=True, blank=True, help_text="Null: fill it soon.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["concept", "grid"], name="pool_once_a_concept_and_grid")
        ]

    def __str__(self) -> str:
        return f"{self.concept}, {self.grid} × {self.grid}"

    @property
    def exhausted(self) -> bool:
        """Whether all pairs are stored: there is nothing left to nominate."""
        return self.frontier >= 1.0


class NewPictures(models.Model):
    """Pictures that were stored together, and that no pool has taken notice of yet.

    The row is written in the transaction that stores them: it is there once they are, however
    late that is, and until the pools have taken notice (`labeling.pools.notice`).
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="new_pictures")
    grid = models.PositiveSmallIntegerField(help_text="Of their tiles.")
    random_keys = ArrayField(models.FloatField())

    def __str__(self) -> str:
        return f"{len(self.random_keys)} of {self.project}"
