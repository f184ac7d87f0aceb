"""Imports: pictures that come in together, and what became of them."""

from datetime import timedelta

from django.conf import settings
from django.db import models

from labeling.models.lease import Leased
from labeling.models.projects import Project


class Import(Leased):
    """A source of pictures on its way in; the worker that reads it holds the row's lease.

    Uploading → reading (what is there, and which concepts it names) → choosing (the owner ticks the
    concepts) → importing → done; undone, where somebody took it back. A command goes the same way
    without uploading.
    """

    lease_duration = timedelta(minutes=1)

    class State(models.TextChoices):
        UPLOADING = "uploading"
        READING = "reading"
        CHOOSING = "choosing"
        IMPORTING = "importing"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        UNDOING = "undoing"
        UNDONE = "undone"

    project = models.ForeignKey(Project, models.CASCADE, related_name="imports")
    state = models.CharField(max_length=9, choices=State.choices, default=State.UPLOADING)
    name = models.CharField(max_length=200, blank=True, help_text="Of the folder or archive.")
    folder = models.CharField(
        max_length=400, blank=True, editable=False, help_text="Where its uploaded files lie."
    )
    files = models.PositiveIntegerField(default=0, help_text="Announced, of an upload.")
    bytes = models.BigIntegerField(default=0, help_text="Announced, of an upload.")
    received = models.BigIntegerField(default=0, help_text="Bytes that have been uploaded.")
    candidates = models.JSONField(
        default=list, blank=True, help_text="Concepts that it names: `labeling.imports.candidates`."
    )
    concepts = models.JSONField(
        null=True, blank=True, help_text="The names that were chosen; null: not yet."
    )
    pictures = models.PositiveIntegerField(default=0, help_text="That it holds.")
    done = models.PositiveIntegerField(default=0, help_text="Pictures that were looked at.")
    counts = models.JSONField(default=dict, blank=True, help_text="What became of them.")
    error = models.TextField(blank=True, help_text="Why it failed.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Workers that began it.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    active_at = models.DateTimeField(auto_now_add=True, help_text="When something last came in.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When pictures were read.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state", "lease_until"],
                condition=models.Q(
                    state__in=["uploading", "reading", "choosing", "importing", "undoing"]
                ),
                name="import_unfinished",
            )
        ]

    def __str__(self) -> str:
        return self.name or f"import no. {self.pk}"
