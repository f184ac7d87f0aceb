"""Images, and the rectangles of them that questions are about."""

import random

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from labeling.models.imports import Import
from labeling.models.indexes import TrigramIndex
from labeling.models.projects import KEY_LENGTH, ClassSet, Project
from labeling.models.text_sources import TextSource


def random_key() -> float:
    """Return a place among all pictures, uniform in [0, 1)."""
    return random.random()


class Image(models.Model):
    """A re-encoded picture, addressed by its content."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="images", db_index=False)
    sha256 = models.CharField(max_length=64, help_text="Of the stored, re-encoded file.")
    source_sha256 = models.CharField(max_length=64, help_text="Of the file as it came.")
    perceptual_hash = models.BigIntegerField(help_text="64-bit difference hash, signed.")
    near_duplicate_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="near_duplicates"
    )
    file = models.ImageField(
        upload_to="images", width_field="width", height_field="height", max_length=200
    )
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    keywords = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    stated_keys = ArrayField(
        models.CharField(max_length=KEY_LENGTH),
        default=list,
        blank=True,
        editable=False,
        help_text="What its imports state that it shows: the keys (`name_key`) of its keywords "
        "and of its folders' names.",
    )
    class_set = models.ForeignKey(
        ClassSet,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="images",
        db_index=False,
        help_text="The classes of the import, of which it is in one.",
    )
    import_confidence = models.FloatField(
        default=0.9,
        editable=False,
        help_text="Probability that its keywords and its class are true, by its import.",
    )
    random_key = models.FloatField(
        default=random_key, editable=False, help_text="Uniform in [0, 1), drawn once."
    )
    cut_into = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="The grid of tiles that it is cut into; 0: none."
    )
    keep_whole = models.BooleanField(
        default=False, help_text="Whether it is asked about as a whole, though others are cut."
    )
    imported_by = models.ForeignKey(
        Import,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="images",
        db_index=False,
        help_text="The import that brought it first.",
    )
    text_source = models.ForeignKey(
        TextSource,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="images",
        db_index=False,
        help_text="Where the texts of its own path come from; empty: its import says all.",
    )
    source = models.CharField(max_length=300, help_text="The path that it was imported from.")
    further_sources = ArrayField(
        models.CharField(max_length=300),
        default=list,
        blank=True,
        help_text="The paths of its copies.",
    )
    license = models.CharField(max_length=200, blank=True)
    generated = models.BooleanField(default=False, help_text="Whether a model generated it.")
    prompt = models.CharField(max_length=500, blank=True, help_text="What it was generated from.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "sha256"], name="image_once_a_project")
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="image_of_project"),
            models.Index(fields=["project", "source_sha256"]),
            models.Index(fields=["project", "perceptual_hash"]),
            models.Index(
                fields=["project", "random_key"],
                condition=models.Q(generated=False, cut_into=0),
                name="image_random",
            ),
            models.Index(
                fields=["project", "random_key"],
                condition=models.Q(generated=False, cut_into__gt=0),
                name="image_random_cut",
            ),
            models.Index(
                fields=["project"], condition=models.Q(generated=True), name="image_generated"
            ),
            models.Index(
                fields=["imported_by", "id"],
                condition=models.Q(imported_by__isnull=False),
                name="image_of_import",
            ),
            models.Index(
                fields=["text_source"],
                condition=models.Q(text_source__isnull=False),
                name="image_of_text_source",
            ),
            GinIndex(fields=["stated_keys"], name="image_stated_keys"),
            TrigramIndex("source", name="image_source"),
        ]

    def __str__(self) -> str:
        return self.source


class Tile(models.Model):
    """A rectangle of an image, in its pixels; the whole of it where `grid` is 1.

    A box that an import drew has the grid `BOX`; what it shows is in its `BoxStatement` rows.
    """

    BOX = 0

    image = models.ForeignKey(Image, models.CASCADE, related_name="tiles", db_index=False)
    grid = models.PositiveSmallIntegerField(
        default=1, help_text="1 = whole, 4 = one of 4 × 4, 0 = a box."
    )
    position = models.PositiveIntegerField(default=0, help_text="Row by row from 0.")
    left = models.PositiveIntegerField(default=0)
    top = models.PositiveIntegerField(default=0)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        ordering = ["image_id", "grid", "position"]
        constraints = [
            models.UniqueConstraint(fields=["image", "grid", "position"], name="tile_once_an_image")
        ]

    def __str__(self) -> str:
        if self.grid == self.BOX:
            return f"{self.image} box no. {self.position + 1}"
        return f"{self.image} {self.grid}×{self.grid} no. {self.position + 1}"
