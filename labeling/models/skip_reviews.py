"""That somebody saw to what people skipped for a reason."""

from django.conf import settings
from django.db import models

from labeling.models.images import Tile
from labeling.models.projects import Project
from labeling.models.questions import Question


class SkipReview(models.Model):
    """When the skips of a tile, or of one question about it, were seen to last."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="skip_reviews")
    tile = models.ForeignKey(Tile, models.CASCADE, related_name="skip_reviews", db_index=False)
    question = models.ForeignKey(
        Question,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="skip_reviews",
        help_text="Empty: nothing was asked of the tile but to describe it.",
    )
    resolved_at = models.DateTimeField()
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-resolved_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tile", "question"], nulls_distinct=False, name="skip_review_once"
            )
        ]

    def __str__(self) -> str:
        return f"skips of tile no. {self.tile_id}"
