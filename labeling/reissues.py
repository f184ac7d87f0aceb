"""Issue marked snapshots again: freeze what is left with the same settings, as their successor.

A snapshot is marked once a picture that it holds was removed, an answer or a caption withdrawn, an
annotator blocked whose answers it holds, or an import taken back of which it holds texts, boxes or
gold. It stays as it is, since models were trained on it. All marked snapshots of the same settings
have one successor: it holds the labels as they are now.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet

from labeling import snapshots
from labeling.models import Project, Snapshot

State = Snapshot.State
_UNMARKED = Q(removed=0, withdrawn=0, restated=0, blocked_annotators=[])
MARKED = Q(state=State.READY) & ~_UNMARKED
_SOUND = _UNMARKED & ~Q(state=State.FAILED)


class Dependent(NamedTuple):
    """Something that was made from a snapshot, as a model."""

    pk: int
    name: str
    address: str  # of its page


@dataclass(frozen=True)
class Consequences:
    """A project's marked snapshots without a sound successor, and what learned from them."""

    project: Project
    snapshots: list[Snapshot]
    models: list[Dependent]

    def __str__(self) -> str:
        """Say what is marked, without a full stop; empty: nothing is."""
        if not self.snapshots:
            return ""
        numbers = ", ".join(str(row.pk) for row in sorted(self.snapshots, key=lambda row: row.pk))
        some = len(self.snapshots) > 1
        learned = "no model learned from " + ("them" if some else "it")
        if self.models:
            learned = "learned from that: " + ", ".join(model.name for model in self.models)
        return (
            f"Snapshot{'s' * some} {numbers} hold{'s' * (not some)} something that was removed "
            f"since; {learned}"
        )


Finder = Callable[[Sequence[Snapshot]], Iterable[Dependent]]
_finders: list[Finder] = []


class ReissueError(ValueError):
    """A snapshot cannot be issued again; the message says why."""


def register(finder: Finder) -> None:
    """Have `consequences` name what this finds for snapshots: labelling knows no models itself."""
    if finder not in _finders:
        _finders.append(finder)


def consequences(project: Project) -> Consequences:
    """Return what waits in a project to be issued again, with what learned from it."""
    rows = list(marked(project))
    models = [each for finder in _finders for each in finder(rows)] if rows else []
    return Consequences(project, rows, models)


def marked(project: Project) -> QuerySet[Snapshot]:
    """Return the marked snapshots that have no sound successor, the newest first."""
    sound = Snapshot.objects.filter(_SOUND)
    return project.snapshots.filter(MARKED).exclude(successor__in=sound).order_by("-pk")


def reissue(snapshot: Snapshot, *, by: AbstractBaseUser | None = None) -> Snapshot:
    """Begin the successor of a marked snapshot, or return the sound one that it has already.

    Have a worker freeze it where its state is "freezing". Raises ReissueError for a snapshot that
    is not marked.
    """
    with transaction.atomic():
        row = Snapshot.objects.select_for_update(of=("self",)).get(pk=snapshot.pk)
        sound = Snapshot.objects.filter(_SOUND, pk=row.successor_id or 0).first()
        if sound is not None:
            return sound
        if not row.warning:
            raise ReissueError(f"Nothing that snapshot {row.pk} holds was removed or withdrawn.")
        return _begin([row], by=by)


def reissue_all(project: Project, *, by: AbstractBaseUser | None = None) -> list[Snapshot]:
    """Begin the successors of all marked snapshots of a project, one for each settings."""
    with transaction.atomic():
        ready = project.snapshots.filter(state=State.READY).order_by("pk")
        list(ready.select_for_update(of=("self",)).values_list("pk"))  # two at once issue one
        by_settings: dict[bool, list[Snapshot]] = {}
        for row in marked(project).order_by("pk"):
            by_settings.setdefault(row.include_generated, []).append(row)
        return [_begin(same, by=by) for same in by_settings.values()]


def _begin(rows: Iterable[Snapshot], *, by: AbstractBaseUser | None) -> Snapshot:
    """Begin one snapshot as the successor of locked ones of the same settings."""
    predecessors = list(rows)
    first = predecessors[0]
    successor = snapshots.begin(
        project=first.project, include_generated=first.include_generated, requested_by=by
    )
    Snapshot.objects.filter(pk__in=[row.pk for row in predecessors]).update(successor=successor)
    return successor
