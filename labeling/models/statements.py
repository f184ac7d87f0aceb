"""What imports said of pictures that were there already, so that each can be taken back."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.images import Image, Tile
from labeling.models.imports import Import
from labeling.models.projects import KEY_LENGTH, ClassSet
from labeling.models.text_sources import TextSource


class ImportStatement(models.Model):
    """What one source of texts said of one path of a picture of which more is said.

    A picture of which one import speaks by one path has no rows: its own row says it all. Otherwise
    its first row says what it was when more came, and each other row what was said since, in the
    order of their ids (`labeling.imports.statements`).
    """

    image = models.ForeignKey(Image, models.CASCADE, related_name="statements", db_index=False)
    imported_by = models.ForeignKey(
        Import,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="statements",
        help_text="Empty: the picture came in without an import.",
    )
    path = models.CharField(max_length=300)
    text_source = models.ForeignKey(
        TextSource,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="statements",
        help_text="Empty: its import says all that is known.",
    )
    keywords = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    class_keys = ArrayField(
        models.CharField(max_length=KEY_LENGTH),
        default=list,
        blank=True,
        help_text="The keys (`name_key`) of its folders' names, as far as those are classes.",
    )
    class_set = models.ForeignKey(
        ClassSet, models.SET_NULL, null=True, blank=True, related_name="statements"
    )
    captions = ArrayField(models.CharField(max_length=500), default=list, blank=True)
    license = models.CharField(max_length=200, blank=True)
    confidence = models.FloatField(help_text="Probability that it is true.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["image", "imported_by", "path", "text_source"],
                name="statement_once_a_path",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.path}: {', '.join(self.keywords)}"


class BoxStatement(models.Model):
    """What an import says that a box shows: a box is a tile of the grid `Tile.BOX`.

    A box of which no import says anything any more goes.
    """

    tile = models.ForeignKey(Tile, models.CASCADE, related_name="box_statements", db_index=False)
    imported_by = models.ForeignKey(Import, models.CASCADE, related_name="box_statements")
    label = models.CharField(max_length=80, help_text="As the import has it.")
    key = models.CharField(max_length=KEY_LENGTH, help_text="The key (`name_key`) of the label.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tile", "imported_by", "label"], name="label_once_a_box_and_import"
            )
        ]

    def __str__(self) -> str:
        return self.label
