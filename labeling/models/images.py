"""Images, and the rectangles of them that questions are about."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from labeling.models.projects import Project


class Image(models.Model):
    """A re-encoded picture, addressed by its content."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="images")
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
            models.Index(fields=["project", "source_sha256"]),
            models.Index(fields=["project", "perceptual_hash"]),
            models.Index(
                fields=["project"], condition=models.Q(generated=True), name="image_generated"
            ),
            GinIndex(fields=["keywords"], name="image_keywords"),
        ]

    def __str__(self) -> str:
        return self.source


class Tile(models.Model):
    """A rectangle of an image, in its pixels; the whole of it where `grid` is 1."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="tiles")
    grid = models.PositiveSmallIntegerField(default=1, help_text="1 = whole, 4 = one of 4 × 4.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Row by row from 0.")
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
        return f"{self.image} {self.grid}×{self.grid} no. {self.position + 1}"
