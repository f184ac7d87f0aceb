"""Pairs: pictures that show two halves, side by side, which may belong together."""

from django.db import models

from labeling.models.images import Image
from labeling.models.projects import Concept


class Pair(models.Model):
    """An image that holds two halves: its left square and its right one, with a gap between.

    People are asked whether they belong together as they are asked whether an image shows any
    other concept.
    """

    image = models.OneToOneField(Image, models.CASCADE, primary_key=True, related_name="pair")
    concept = models.ForeignKey(
        Concept,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="pairs",
        help_text="That the halves belong together. Empty: nobody is asked.",
    )

    class Meta:
        ordering = ["image"]

    def __str__(self) -> str:
        return f"the halves of image {self.image_id}"
