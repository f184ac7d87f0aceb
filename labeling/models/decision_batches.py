"""What a reviewer decided about many questions at once, so that it can be undone."""

from django.conf import settings
from django.db import models

from labeling.models.projects import Project


class DecisionBatch(models.Model):
    """One decision about many questions, with what held of each before; undone at most once."""

    class Choice(models.TextChoices):
        YES = "yes"
        NO = "no"
        REOPEN = "reopen"
        GOLD = "gold", "use as gold"

    project = models.ForeignKey(Project, models.CASCADE, related_name="decision_batches")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    choice = models.CharField(max_length=6, choices=Choice.choices)
    questions = models.JSONField(
        default=list, help_text="By question: verdict, decided_by, state and answers_wanted before."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{len(self.questions)} × {self.get_choice_display()}"
