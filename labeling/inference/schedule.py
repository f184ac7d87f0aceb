"""Which projects are due for a recomputation, and the claim to recompute one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from labeling import database_errors
from labeling.models import Answer, Concept, LeaseLost, Project, Question, Recomputation

LARGE = 20_000  # questions, which are recomputed within seconds
# How many times as long as a recomputation took there is none after it, and for how many seconds at
# most: where new answers call for another one, and where it is requested.
REST, MOST_REST = 9.0, 60.0
REST_REQUESTED, MOST_REST_REQUESTED = 0.5, 10.0
OUT_OF_MEMORY = (
    "Recomputing the labels took more memory than there was. Give the workers' machine more, or "
    "run fewer processes on it: it is tried again by itself."
)
LOST = (
    "The process that recomputed the labels was killed. It is tried again by itself; if that goes "
    "on, give the workers' machine more memory, or run fewer processes on it."
)
State = Recomputation.State


@contextmanager
def claim(project: Project) -> Iterator[Recomputation | None]:
    """Lease the project's recomputation; yield None while another process holds it.

    It is released on leaving. After an exception the row says why, and the project is due again;
    after LeaseLost the row belongs to the new holder and is left alone.
    """
    recomputation = _acquire(project)
    if recomputation is None:
        yield None
        return
    try:
        yield recomputation
    except LeaseLost:
        raise
    except BaseException as error:
        if not connection.needs_rollback:
            reason = database_errors.why(error) or f"{type(error).__name__}: {error}"
            if isinstance(error, MemoryError):
                reason = OUT_OF_MEMORY
            recomputation.release(state=State.FAILED, error=reason, requested=True)
        raise
    recomputation.release(state=State.IDLE, error="", finished_at=timezone.now())


def complaint(recomputation: Recomputation) -> str:
    """Return a sentence for people where memory keeps the labels from being recomputed."""
    if recomputation.is_lost:
        return LOST
    return recomputation.error if recomputation.error in {LOST, OUT_OF_MEMORY} else ""


def request_all() -> None:
    """Have all projects recomputed soon, for a reason other than a new answer."""
    Recomputation.objects.update(requested=True)


def due() -> list[Project]:
    """Return the projects to recompute that nobody is at, the longest ago recomputed first.

    Those are projects with new answers, with other settling rules than the last time, with a
    request, with stale priors, or whose recomputation died.
    """
    return _due(Project.objects.all())


def requested() -> list[Project]:
    """Return the projects whose recomputation is requested and that nobody is at, as `due` does.

    Those where the last one failed are left to it, which is looked at less often.
    """
    called = Recomputation.objects.free().filter(requested=True, state=State.IDLE)
    projects = Project.objects.filter(recomputation__in=called)
    found = projects.order_by(F("recomputation__finished_at").asc(nulls_first=True), "pk")
    return [each for each in found if _has_rested(each, REST_REQUESTED, MOST_REST_REQUESTED)]


def has_rested(project: Project) -> bool:
    """Return whether new answers may call for a recomputation so soon after the last one.

    So what is quick follows people closely, and no project keeps a worker at it all the time.
    """
    return _has_rested(project, REST, MOST_REST)


def is_due(project: Project) -> bool:
    """Return whether a project is among `due`."""
    return bool(_due(Project.objects.filter(pk=project.pk)))


def is_large(project: Project) -> bool:
    """Return whether a project is one whose recomputation may take longer than seconds."""
    return Question.objects.filter(project=project)[LARGE : LARGE + 1].exists()


def settling_rules(project: Project) -> list[object]:
    """Return by what states and priorities are set, besides the answers, as JSON."""
    fields = "settle_at", "answers_min", "answers_cap", "answer_cost"
    values = project.concepts.order_by("pk").values_list("pk", "value")
    return [[getattr(project, name) for name in fields], [list(pair) for pair in values]]


def have_changed(earlier: list[Any], rules: list[Any]) -> bool:
    """Whether settling rules differ for a question that both are about.

    A concept that is new or gone changes nothing for the questions about others.
    """
    if not earlier or earlier[0] != rules[0]:
        return True
    values = dict(rules[1])
    return any(values.get(pk, value) != value for pk, value in earlier[1])


def newest_answer() -> tuple[int, bool]:
    """Return the newest answer's id, and whether every answer up to it is visible.

    An id is drawn before its row is committed: while any transaction writes, a row with a smaller
    id may still appear.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT max(id) FROM labeling_answer), 0),"
            " NOT EXISTS (SELECT pg_snapshot_xip(pg_current_snapshot()))"
        )
        newest, complete = cursor.fetchone()
    return int(newest), bool(complete)


def _due(projects: QuerySet[Project]) -> list[Project]:
    called = Recomputation.objects.filter(requested=True) | Recomputation.objects.expired()
    called_for = set(called.filter(project__in=projects).values_list("project", flat=True))
    stale = Concept.objects.filter(priors_stale=True, project__in=projects)
    called_for |= set(stale.order_by().values_list("project", flat=True).distinct())
    taken = Recomputation.objects.filter(lease_until__gte=Now())
    free = projects.exclude(pk__in=taken.values("project")).select_related("recomputation")
    return [
        project
        for project in free.order_by(F("recomputation__finished_at").asc(nulls_first=True), "pk")
        if project.pk in called_for or _has_new_answers(project) or _has_new_rules(project)
    ]


def _has_rested(project: Project, times: float, most: float) -> bool:
    row = Recomputation.objects.filter(project=project).first()
    if row is None or row.started_at is None:
        return True
    last, rest = row.started_at, most  # of one that failed
    if row.finished_at is not None and row.finished_at > row.started_at:
        took = (row.finished_at - row.started_at).total_seconds()
        last, rest = row.finished_at, min(times * took, most)
    return timezone.now() >= last + timedelta(seconds=rest)


def _has_new_answers(project: Project) -> bool:
    later = Answer.objects.filter(question__project=project, pk__gt=project.aggregated_to)
    return later.exists()


def _has_new_rules(project: Project) -> bool:
    if not hasattr(project, "recomputation"):
        return False
    rules = project.recomputation.settling_rules
    return bool(rules) and have_changed(rules, settling_rules(project))


def _acquire(project: Project) -> Recomputation | None:
    earlier, _ = Recomputation.objects.get_or_create(project=project)
    error = LOST if earlier.is_lost else earlier.error  # until one comes to its end
    recomputation: Recomputation | None = Recomputation.objects.acquire(
        project.pk, state=State.RUNNING, requested=False, started_at=Now(), error=error
    )
    if recomputation is not None:
        recomputation.project = project
    return recomputation
