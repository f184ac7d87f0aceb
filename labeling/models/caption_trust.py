"""How far captions are believed by who wrote them, as the last recomputation found."""

from django.db import models

from labeling.models.imports import Import
from labeling.models.projects import Project


class CaptionTrust(models.Model):
    """The share of true captions among those of a source: `labeling.inference.caption_trust`.

    New captions begin at the row of their own import and vendor, else at that of their vendor, else
    at that of all.
    """

    class Scope(models.TextChoices):
        ALL = "all", "all imports, or all annotators"
        VENDOR = "vendor", "a vendor"
        IMPORT = "import", "an import's texts of one vendor"

    project = models.ForeignKey(Project, models.CASCADE, related_name="caption_trust")
    source = models.CharField(max_length=9, help_text="Of the captions: a `Question.Source`.")
    scope = models.CharField(max_length=6, choices=Scope.choices)
    vendor = models.CharField(max_length=200, blank=True)
    imported_by = models.ForeignKey(
        Import, models.CASCADE, null=True, blank=True, related_name="caption_trust"
    )
    judged = models.PositiveIntegerField(help_text="Captions that people have judged.")
    right = models.FloatField(help_text="… of which so many are true, by the posterior.")
    expected = models.FloatField(help_text="Share of true ones before any was judged.")
    trust = models.FloatField(help_text="Share of true ones by all that was judged.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "source", "scope", "vendor", "imported_by"],
                name="caption_trust_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.vendor or self.imported_by or self.source}: {self.trust:.2f}"
