"""Where somebody can take part now: projects that have a question for this very person."""

from collections.abc import Iterable, Sequence

from django.core.cache import cache
from django.db.models import Q, QuerySet

from labeling import access, challenges, project_stats, projects
from labeling.access import Capability, User
from labeling.models import Annotator, Challenge, Membership, Project

ASKS_SECONDS = 60  # for which it is remembered that a project has something for somebody, …
DONE_SECONDS = 15  # and that it has nothing
KINDS_SECONDS = 30  # for which the kinds that a project can ask are kept
PROJECTS_MAX = 50  # that are looked at


def open_to(user: User, annotator: Annotator | None) -> QuerySet[Project]:
    """Return the projects that somebody may take part in: public ones, and those of theirs."""
    own = access.projects(user, Capability.ANNOTATE)
    open_here = Q(private=False) | Q(pk__in=own.values("pk"))
    if annotator is not None:
        invited = Membership.objects.filter(annotator=annotator)
        open_here |= Q(pk__in=invited.values("project"))
    return projects.with_questions(Project.objects.open().filter(open_here))


def asking(annotator: Annotator | None, rows: Iterable[Project]) -> list[Project]:
    """Return those of the projects that have a question for somebody, in their order.

    annotator: None for a newcomer.
    """
    rows = list(rows)[:PROJECTS_MAX]
    visited = _visited(annotator, rows)
    people = {project.pk: annotator if project.pk in visited else None for project in rows}
    keys = {project.pk: _key(people[project.pk], project) for project in rows}
    known: dict[str, bool] = cache.get_many(keys.values())
    return [
        project
        for project in rows
        if (known[key] if (key := keys[project.pk]) in known else _ask(people[project.pk], project))
    ]


def kinds(project: Project) -> list[str]:
    """Return the kinds of question that a project can ask, about `KINDS_SECONDS` old at most.

    Without text: `project_stats.texts` says whether there are any.
    """
    stats = project_stats.cached(
        f"kinds:{project.pk}", lambda: {"kinds": challenges.kinds(project)}, KINDS_SECONDS
    )
    return list(stats["kinds"])


def first(annotator: Annotator | None, rows: Sequence[Project]) -> Project | None:
    """Return where somebody is best led: where they were last, else the first that asks."""
    last = _last(annotator)
    ordered = sorted(rows, key=lambda project: project.pk != last)
    for project in ordered[:PROJECTS_MAX]:
        if asking(annotator, [project]):
            return project
    return None


def _last(annotator: Annotator | None) -> int | None:
    """Return the id of the project in which somebody was asked last."""
    if annotator is None:
        return None
    own = Challenge.objects.filter(annotator=annotator).order_by("-created_at")
    return own.values_list("project", flat=True).first()


def _visited(annotator: Annotator | None, rows: Sequence[Project]) -> set[int]:
    """Return the ids of the projects that have asked somebody anything.

    All others have for them what they have for any newcomer, which is known already as a rule.
    """
    if annotator is None:
        return set()
    own = Challenge.objects.filter(annotator=annotator, project__in=rows)
    return set(own.order_by().values_list("project", flat=True).distinct())


def _ask(annotator: Annotator | None, project: Project) -> bool:
    """Look whether a project has a question for somebody, and remember it for a while."""
    asks = challenges.has_question(annotator=annotator, project=project)
    cache.set(_key(annotator, project), asks, ASKS_SECONDS if asks else DONE_SECONDS)
    return asks


def _key(annotator: Annotator | None, project: Project) -> str:
    return f"asks:{project.pk}:{annotator.pk if annotator else 0}"
