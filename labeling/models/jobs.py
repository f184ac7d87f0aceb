"""What a worker makes: how far it is, who asked for it, and why it failed."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from labeling.models.heartbeats import workers_are_missing
from labeling.models.lease import Leased

QUEUE = "io"  # of imports, exports and snapshots


class Job(Leased):
    """Something that is asked for once and made by whichever worker holds the row's lease."""

    UNDER_WAY: ClassVar[str]  # the state of one that is not yet made
    FAILED: ClassVar[str] = "failed"
    BEING_MADE: ClassVar[str]  # its status meanwhile, with a place for the share that is done
    ENDED: ClassVar[dict[str, Any]] = {}  # what fields are set to once it has failed

    state = models.CharField(max_length=8)
    progress = models.FloatField(default=0.0, help_text="Share of it that is done, 0 to 1.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Workers that began it.")
    error = models.TextField(blank=True, help_text="Why it failed, or waits.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    @property
    def title(self) -> str:
        """What its project's history calls it."""
        return f"{type(self).__name__} {self.pk}"

    @property
    def status(self) -> str:
        """Its state in words, with how far it is while it is made."""
        if self.state != self.UNDER_WAY:
            return str(self.state)
        if self.is_leased:
            return self.BEING_MADE.format(self.progress)
        if self.error:
            return f"waiting. {self.error}"
        return waiting(QUEUE, since=self.created_at)


def waiting(queue: str, *, since: datetime) -> str:
    """Say what something waits for that lies in a queue."""
    if workers_are_missing(queue, since=since):
        return f"no worker takes it: start one with `tessera worker --queues {queue}`"
    return "waiting for a worker"
