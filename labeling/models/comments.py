"""What annotators and reviewers say about a tile beside their answers."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from labeling.models.annotators import Annotator
from labeling.models.images import Tile
from labeling.models.projects import Project
from labeling.models.questions import Question

_IS_FLAG = Q(kind__in=["cut_off", "broken", "offensive", "wording"])


class Comment(models.Model):
    """A flag, a remark or the note on a decision, about a tile or about one question of it."""

    class Kind(models.TextChoices):
        REMARK = "remark", "remark"
        DECISION = "decision", "note on a decision"
        CUT_OFF = "cut_off", "cut off or too small"
        BROKEN = "broken", "broken picture"
        OFFENSIVE = "offensive", "offensive or private"
        WORDING = "wording", "the question is unclear"

    FLAGS = frozenset({Kind.CUT_OFF, Kind.BROKEN, Kind.OFFENSIVE, Kind.WORDING})

    project = models.ForeignKey(Project, models.CASCADE, related_name="comments")
    tile = models.ForeignKey(Tile, models.CASCADE, related_name="comments")
    question = models.ForeignKey(
        Question, models.SET_NULL, null=True, blank=True, related_name="comments"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    annotator = models.ForeignKey(
        Annotator, models.SET_NULL, null=True, blank=True, related_name="comments"
    )
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.REMARK)
    text = models.CharField(max_length=1_000, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tile", "kind", "annotator"],
                condition=_IS_FLAG & Q(annotator__isnull=False),
                name="flag_once_an_annotator",
            ),
            models.UniqueConstraint(
                fields=["tile", "kind", "user"],
                condition=_IS_FLAG & Q(user__isnull=False),
                name="flag_once_a_user",
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "-id"], condition=Q(resolved_at=None), name="comment_unresolved"
            )
        ]

    def __str__(self) -> str:
        return self.text or self.get_kind_display()
