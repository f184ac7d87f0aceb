"""That an import has begun, and what became of it: for pictures, answers and gold alike."""

from functools import partial
from typing import Any, Protocol

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from labeling import audit, webhooks
from labeling.models import Event, HookEvent, Import


class Report(Protocol):
    """Counts what became of what was read, and keeps a table of it."""

    def counts(self) -> dict[str, Any]:
        """Return the counts, as `Import.counts` holds them."""
        ...

    def save(self, name: str) -> str:
        """Store the table; return its name."""
        ...


def start(record: Import, what: str) -> None:
    """Note in the history that an import of so much has begun, unless it goes on."""
    if record.started_at is not None:
        return
    record.started_at = timezone.now()
    with transaction.atomic():
        record.save(update_fields=["started_at"])
        _audit(record, f"Began to import {record}: {what}.")


def finish(record: Import, report: Report, outcome: str) -> None:
    """Save the counts and the report of an import, in place of those of a killed attempt.

    outcome: the counts in words, for the history.
    """
    earlier = str(record.report.name or "")
    record.report = report.save(str(record.pk))
    record.counts = report.counts()
    with transaction.atomic():
        record.save(update_fields=["report", "counts", "row_vendors"])
        _audit(record, f"Imported {record}: {outcome}.")
        webhooks.emit(
            project=record.project,
            event=HookEvent.IMPORT_FINISHED,
            data={"import": record.pk, "counts": record.counts},
        )
        if earlier:
            transaction.on_commit(partial(default_storage.delete, earlier))


def _audit(record: Import, message: str) -> None:
    audit.record(
        project=record.project,
        kind=Event.Kind.IMPORT,
        message=message,
        by=record.requested_by,
        row=record,
    )
