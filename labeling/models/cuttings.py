"""The job that cuts a project's pictures into parts, or puts them back: one row a project."""

from django.conf import settings
from django.db import models

from labeling.models.lease import Leased
from labeling.models.projects import Project


class Cutting(Leased):
    """What is to be done with a project's pictures; the worker that does it holds the row's lease.

    Its counts are of the pictures of this time; those that are left are found in the pictures
    themselves, so that it goes on where it stopped.
    """

    class State(models.TextChoices):
        IDLE = "idle"
        CUTTING = "cutting"
        RESTORING = "restoring", "putting back"

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="cutting"
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.IDLE)
    total = models.PositiveIntegerField(default=0, help_text="Pictures when it began.")
    done = models.PositiveIntegerField(default=0, help_text="Pictures that were cut, or put back.")
    kept = models.PositiveIntegerField(
        default=0, help_text="That stayed cut: something is known of their parts."
    )
    restored_to = models.BigIntegerField(
        default=0, editable=False, help_text="The last picture that was looked at."
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.project}: {self.get_state_display()}"
