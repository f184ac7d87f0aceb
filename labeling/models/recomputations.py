"""When all that is believed in a project was last worked out anew, or who is at it."""

from django.db import models

from labeling.models.projects import Project


class Recomputation(models.Model):
    """A project's recomputation: one row a project, taken by whoever holds its lease.

    The holder beats while it works; a lease that has passed is taken over by the next sweep.
    """

    class State(models.TextChoices):
        IDLE = "idle"
        RUNNING = "running"
        FAILED = "failed"

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="recomputation"
    )
    state = models.CharField(max_length=7, choices=State.choices, default=State.IDLE)
    requested = models.BooleanField(
        default=False, help_text="Something other than an answer calls for it."
    )
    lease_token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    changed = models.PositiveIntegerField(default=0, help_text="Beliefs that the last one changed.")
    error = models.TextField(blank=True, help_text="Why the last one failed.")
    prevalence_shift = models.JSONField(
        null=True, blank=True, help_text="The move of a concept's prior that is under way."
    )
    settling_rules = models.JSONField(
        default=list, blank=True, help_text="By what the last one judged what is settled."
    )
    strength = models.FloatField(
        default=0.7, help_text="How far single answers are believed, by the last one."
    )
    ambiguity = models.FloatField(
        default=0.1, help_text="How probable a split truth is, by the last one."
    )

    def __str__(self) -> str:
        return f"{self.project}: {self.state}"
