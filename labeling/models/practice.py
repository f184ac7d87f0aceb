"""Practice: a few gold questions with feedback, before an annotator's first."""

from django.db import models

from labeling.models.annotators import Annotator
from labeling.models.projects import Project
from labeling.models.questions import Question


class PracticeQuestion(models.Model):
    """A gold question on which all newcomers of its project practise.

    Its answer is given away there, so it measures nobody any more. All are given the same few, so
    that a bot with many pseudonyms learns no more of the gold than these.
    """

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="practice_set", db_index=False
    )
    question = models.OneToOneField(Question, models.CASCADE, related_name="practice")
    position = models.PositiveSmallIntegerField(help_text="From 0, in the order of asking.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["project", "position"], name="practice_position_once")
        ]

    def __str__(self) -> str:
        return f"{self.position + 1}. {self.question}"


class Practice(models.Model):
    """How far an annotator has come with a project's practice questions."""

    annotator = models.ForeignKey(
        Annotator, models.CASCADE, related_name="practice", db_index=False
    )
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    answered = models.PositiveSmallIntegerField(default=0)
    skipped = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["annotator", "project"], name="practice_once_an_annotator"
            )
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.project}: {self.answered}"
