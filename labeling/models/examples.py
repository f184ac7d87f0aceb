"""Pictures that show annotators what is meant by a concept."""

from django.db import models

from labeling.models.images import Tile
from labeling.models.projects import Concept

EXAMPLES_MAX = 12  # of a concept: more nobody looks at


class ConceptExample(models.Model):
    """A tile that an owner has picked: a clear yes, a clear no, or a hard one with its answer."""

    class Kind(models.TextChoices):
        YES = "yes", "shows it"
        NO = "no", "does not show it"
        HARD_YES = "hard_yes", "hard, but shows it"
        HARD_NO = "hard_no", "hard, and does not show it"

    concept = models.ForeignKey(Concept, models.CASCADE, related_name="examples")
    tile = models.ForeignKey(Tile, models.CASCADE, related_name="examples")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    note = models.CharField(max_length=200, blank=True, help_text="Why; shown beside it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["concept", "tile"], name="example_once_a_concept")
        ]

    def __str__(self) -> str:
        return f"{self.concept}: {self.get_kind_display()}"

    @property
    def shows(self) -> bool:
        """Whether the tile shows the concept."""
        return self.kind in {self.Kind.YES, self.Kind.HARD_YES}

    @property
    def hard(self) -> bool:
        return self.kind in {self.Kind.HARD_YES, self.Kind.HARD_NO}
