"""Write down what happened in a project: its history, and Django's where there is a row."""

from collections.abc import Iterable

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from labeling.models import Annotator, Event, Project


def record(
    *,
    project: Project | None,
    kind: Event.Kind,
    message: str,
    by: AbstractBaseUser | None = None,
    row: Model | None = None,
    action: int = CHANGE,
) -> Event:
    """Add an event to a project's history, in the transaction of the change itself.

    project: None for what concerns all, like the blocking of an annotator. message: a sentence.
    by: None where it happened by itself. row: what was changed; Django's admin shows it among the
    row's changes, with `action` (ADDITION, CHANGE or DELETION).
    """
    event = Event.objects.create(
        project=project,
        kind=kind,
        message=message,
        user_id=by.pk if by else None,
        actor=by.get_username() if by else "",
        object_type=row._meta.model_name or "" if row else "",
        object_id=str(row.pk) if row else "",
        annotator_id=row.pk if isinstance(row, Annotator) else None,
    )
    if row is not None and by is not None:
        log([row], by=by, message=message, action=action)
    return event


def log(rows: Iterable[Model], *, by: AbstractBaseUser, message: str, action: int = CHANGE) -> None:
    """Add a line to the history that Django's admin shows of each row, and no event."""
    entries = [
        LogEntry(
            user_id=by.pk,
            content_type=ContentType.objects.get_for_model(row),
            object_id=row.pk,
            object_repr=str(row)[:200],
            action_flag=action,
            change_message=message,
        )
        for row in rows
    ]
    LogEntry.objects.bulk_create(entries)
