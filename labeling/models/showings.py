"""What each network address was shown on a day: kept so long and no longer."""

from django.db import models


class AddressDay(models.Model):
    """A network address on one day in a project, under a key from which neither can be told.

    New pseudonyms are counted in a row of their own, of no project. The counts of open questions
    say how such questions are shown there: known ones (`Showing.known`) are shown alike
    (`labeling.showings`).
    """

    key = models.CharField(
        max_length=32, unique=True, help_text="Keyed hash of address, project and day."
    )
    day = models.DateField()
    since = models.DateTimeField(help_text="When it was counted first.")
    newcomers = models.PositiveIntegerField(default=0, help_text="Pseudonyms that it was given.")
    asked = models.PositiveIntegerField(default=0, help_text="Challenges that it asked for.")
    skips = models.PositiveIntegerField(default=0, help_text="Challenges that were skipped.")
    skipped_at = models.DateTimeField(null=True, help_text="When it skipped last.")
    firsts = models.PositiveIntegerField(default=0, help_text="Open questions shown there.")
    seconds = models.PositiveIntegerField(default=0, help_text="Of them, those shown again.")
    thirds = models.PositiveIntegerField(default=0, help_text="… a third time.")
    fourths = models.PositiveIntegerField(default=0, help_text="… a fourth time.")
    lags = models.PositiveIntegerField(
        default=0, help_text="Challenges between one showing of these and the next, in all."
    )
    elsewhere = models.PositiveIntegerField(
        default=0, help_text="Of the first showings, those of a tile shown for another question."
    )
    truths = models.FloatField(
        default=0.0, help_text="The sum of their probabilities when they were shown first."
    )
    known = models.PositiveIntegerField(default=0, help_text="Known questions shown there.")
    known_elsewhere = models.PositiveIntegerField(
        default=0, help_text="Of them, those of a tile shown for another question before."
    )
    known_truths = models.FloatField(default=0.0, help_text="The sum of their probabilities.")

    class Meta:
        indexes = [models.Index(fields=["day"], name="address_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.asked} challenges"


class Showing(models.Model):
    """How often a question was shown at an address on a day; skipped or not.

    Tile and question are ids: what is removed meanwhile leaves rows that nobody reads.
    """

    address = models.ForeignKey(AddressDay, models.CASCADE, related_name="showings", db_index=False)
    tile = models.BigIntegerField()
    question = models.BigIntegerField()
    shown = models.PositiveSmallIntegerField(default=1)
    last = models.PositiveIntegerField(help_text="The number of the challenge that showed it last.")
    lag = models.PositiveIntegerField(help_text="Challenges between that and the one before.")
    known = models.BooleanField(help_text="It was shown to check somebody, at the last time.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["address", "tile", "question"], name="showing_once_an_address"
            )
        ]

    def __str__(self) -> str:
        return f"question {self.question}: {self.shown}"
