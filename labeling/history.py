"""A project's history: what was changed, by whom, and when, the newest first."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from django.db.models import Exists, OuterRef, QuerySet

from labeling.models import Answer, Event, Project
from labeling.spreadsheets import cell

COLUMNS = ("when", "kind", "who", "what", "object", "object id")
ITSELF = "Tessera"  # who did what happened by itself, as a worker does


@dataclass(frozen=True)
class Filters:
    """Which events are wanted; empty is all."""

    kind: str = ""
    actor: str = ""  # a user name; ITSELF is what happened by itself
    annotators: bool = True  # whether events about single annotators are shown


def events(
    project: Project, filters: Filters, *, before: int | None = None, count: int | None = None
) -> Iterator[Event]:
    """Yield a project's events, the newest first.

    Those that concern all projects, such as the blocking of an annotator, are among them where the
    annotator has answered here. before: an event's id, to go on after it. count: at most; None is
    all.
    """
    answered = Answer.objects.filter(annotator=OuterRef("annotator_id"), question__project=project)
    own = Event.objects.filter(project=project)
    of_all = Event.objects.filter(Exists(answered), project=None, annotator_id__isnull=False)
    lists = (_page(rows, filters, before, count) for rows in (own, of_all))
    yield from islice(merge(*lists, key=lambda event: -event.pk), count)


def csv_lines(project: Project, filters: Filters) -> Iterator[str]:
    """Yield the history as CSV, line by line; no cell is a formula to a spreadsheet."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for event in events(project, filters):
        yield writer.writerow(
            [
                event.created_at.isoformat(timespec="seconds"),
                event.get_kind_display(),
                cell(event.actor or ITSELF),
                cell(event.message),
                event.object_type,
                event.object_id,
            ]
        )


class _Echo:
    """A file that hands back what is written to it, for `csv.writer`."""

    def write(self, line: str) -> str:
        return line


def _page(
    rows: QuerySet[Event], filters: Filters, before: int | None, count: int | None
) -> Iterator[Event]:
    if not filters.annotators:
        rows = rows.exclude(kind=Event.Kind.ANNOTATOR)
    if filters.kind:
        rows = rows.filter(kind=filters.kind)
    if filters.actor:
        rows = rows.filter(actor="" if filters.actor == ITSELF else filters.actor)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    rows = rows.order_by("-pk")
    return iter(rows[:count]) if count is not None else rows.iterator(chunk_size=1_000)
