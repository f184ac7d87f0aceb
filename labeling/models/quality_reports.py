"""How good a project's labels were, by each recomputation."""

from django.db import models

from labeling.models.projects import Project


class QualityReport(models.Model):
    """Agreement, calibration and label accuracy at one time; see `labeling.quality`.

    `concepts` holds the agreement on each concept. `gold` and `random` are calibrations: by known
    truths, and by the answers to questions that were drawn at random. `accuracy` is how often
    labels are right (`labeling.label_accuracy`).
    """

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="quality_reports", db_index=False
    )
    measured_at = models.DateTimeField()
    answers = models.PositiveBigIntegerField(help_text="To the questions about concepts.")
    compared = models.PositiveIntegerField(help_text="Questions with two answers or more.")
    alpha = models.FloatField(null=True, help_text="Krippendorff's, of all concepts together.")
    low = models.FloatField(null=True, help_text="Of its 95 % interval.")
    high = models.FloatField(null=True)
    percent = models.FloatField(null=True, help_text="Agreeing pairs of answers, 0 to 1.")
    prevalence = models.FloatField(null=True, help_text="Share of yes, 0 to 1.")
    concepts = models.JSONField(default=list)
    gold = models.JSONField(null=True, help_text="Calibration by gold.")
    random = models.JSONField(null=True, help_text="Calibration by the random slice.")
    accuracy = models.JSONField(null=True, help_text="How often labels are right.")

    class Meta:
        ordering = ["-measured_at"]
        indexes = [models.Index(fields=["project", "-measured_at"], name="quality_report_newest")]

    def __str__(self) -> str:
        return f"{self.project}, {self.measured_at:%Y-%m-%d %H:%M}"
