"""Who works out anew what is believed in a project: one at a time, and again if they die."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from labeling.models import Answer, Project, Recomputation

LEASE = timedelta(minutes=10)  # after which nobody is taken to be at it
State = Recomputation.State


class Lost(RuntimeError):
    """Somebody else took the recomputation over: whoever is told writes nothing more."""


@dataclass(frozen=True)
class Work:
    """A recomputation that is ours while its lease lasts."""

    project: Project
    token: str

    def beat(self, **fields: Any) -> None:
        """Say that the work goes on, and set fields of its row. Raises Lost."""
        now = timezone.now()
        ours = Recomputation.objects.filter(project=self.project, lease_token=self.token)
        if not ours.update(heartbeat_at=now, lease_until=now + LEASE, **fields):
            raise Lost(f"Somebody else took over the recomputation of {self.project}.")

    def row(self) -> Recomputation:
        return Recomputation.objects.get(project=self.project)


@contextmanager
def at_work(project: Project) -> Iterator[Work | None]:
    """Take the project's recomputation, or None where somebody is at it; give it back after."""
    work = _claim(project)
    try:
        yield work
    except Lost:
        raise
    except BaseException as error:
        if work is not None and not connection.needs_rollback:
            why = f"{type(error).__name__}: {error}"
            work.beat(**_given_back(State.FAILED), error=why, requested=True)
        raise
    if work is not None:
        work.beat(**_given_back(State.IDLE), error="", finished_at=timezone.now())


def want() -> None:
    """Have all projects recomputed soon, for something other than an answer."""
    Recomputation.objects.update(requested=True)


def due() -> list[Project]:
    """The projects that were answered since the last time, or wanted, or left by who died."""
    now = timezone.now()
    called = Recomputation.objects.filter(
        Q(requested=True) | Q(state=State.RUNNING, lease_until__lt=now)
    )
    wanted = set(called.values_list("project", flat=True))
    return [project for project in Project.objects.all() if project.pk in wanted or _new(project)]


def newest() -> tuple[int, bool]:
    """The newest answer's id, and whether all up to it can be seen.

    An id is drawn before its row can be seen: while anybody writes, an older one may still come.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT max(id) FROM labeling_answer), 0),"
            " NOT EXISTS (SELECT pg_snapshot_xip(pg_current_snapshot()))"
        )
        last, complete = cursor.fetchone()
    return int(last), bool(complete)


def _new(project: Project) -> bool:
    later = Answer.objects.filter(question__project=project, pk__gt=project.aggregated_to)
    return later.exists()


def _claim(project: Project) -> Work | None:
    """Claim, don't lock: whoever's update counts has it."""
    Recomputation.objects.get_or_create(project=project)
    now, token = timezone.now(), secrets.token_hex(16)
    free = Recomputation.objects.filter(project=project).exclude(
        state=State.RUNNING, lease_until__gte=now
    )
    return Work(project, token) if free.update(**_taken(now, token)) else None


def _taken(now: datetime, token: str) -> dict[str, Any]:
    return {
        "state": State.RUNNING,
        "requested": False,
        "lease_token": token,
        "lease_until": now + LEASE,
        "started_at": now,
        "heartbeat_at": now,
    }


def _given_back(state: str) -> dict[str, Any]:
    return {"state": state, "lease_token": ""}
