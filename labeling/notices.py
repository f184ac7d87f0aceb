"""What waits for somebody in a project: derived from its rows, kept in the cache for moments."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.cache import cache
from django.template.defaultfilters import pluralize, truncatechars

from labeling import access, annotators, comments, project_stats
from labeling.access import Capability, User
from labeling.captcha import attempts
from labeling.inference import schedule
from labeling.models import Attempt, Import, Membership, Project

PROJECT_SECONDS = 15  # for which the notices of a project are kept
USER_SECONDS = 30  # and the count of all that waits for somebody
PROJECTS_MAX = 20  # of one person, that are looked at for the count
FLAGS_MAX = 1_000  # that are counted
NAMES_MAX = 3  # of new members


@dataclass(frozen=True)
class Notice:
    """Something that waits: "38 questions to decide"."""

    text: str
    capability: Capability  # who is told: whoever may do something about it
    page: str  # the name of the URL pattern, which takes the slug
    query: str = ""
    row: int | None = None  # whose id the pattern takes as well


Source = Callable[[Project], Iterable[Notice]]
_sources: list[Source] = []


def register(source: Source) -> Source:
    """Add a source of notices; apps above this one have theirs."""
    _sources.append(source)
    return source


def of(project: Project, user: User) -> list[Notice]:
    """Return what waits for a user in a project, the most pressing first."""
    allowed = access.capabilities(user, project)
    waiting = [notice for notice in _of_project(project) if notice.capability in allowed]
    return waiting + list(_joined(project, user)) if Capability.MANAGE in allowed else waiting


def count(user: User) -> int:
    """Return how many notices wait for a user in all their projects that are not archived.

    At most PROJECTS_MAX projects are looked at, the newest first. About USER_SECONDS old.
    """
    key = f"notices:user:{user.pk}"
    stored: int | None = cache.get(key)
    if stored is None:
        rows = access.projects(user).exclude(state=Project.State.ARCHIVED)
        rows = rows.select_related("recomputation").defer("recomputation__settling_rules")
        stored = sum(len(of(each, user)) for each in rows.order_by("-pk")[:PROJECTS_MAX])
        cache.set(key, stored, USER_SECONDS)
    return stored


def look_at_people(membership: Membership | None) -> None:
    """Remember that a member has seen who joined: they are not told again."""
    if membership is not None:
        membership.see_people()
        cache.delete(f"notices:user:{membership.user_id}")


def _of_project(project: Project) -> list[Notice]:
    key = f"notices:{project.pk}"
    stored: list[dict[str, Any]] | None = cache.get(key)
    if stored is None:
        stored = [asdict(notice) for source in _sources for notice in source(project)]
        cache.set(key, stored, PROJECT_SECONDS)
    return [Notice(**fields) for fields in stored]


@register
def _imports(project: Project) -> Iterable[Notice]:
    """Tell of imports that wait for a choice, and of the newest if it failed."""
    for each in project.imports.filter(state=Import.State.CHOOSING)[:NAMES_MAX]:
        text = f"Choose the concepts of “{truncatechars(str(each), 40)}”"
        yield Notice(text, Capability.MANAGE, "project-import", row=each.pk)
    newest = project.imports.first()
    if newest is not None and newest.state == Import.State.FAILED:
        text = f"The import “{truncatechars(str(newest), 40)}” failed"
        yield Notice(text, Capability.MANAGE, "project-import", row=newest.pk)


@register
def _labels(project: Project) -> Iterable[Notice]:
    """Tell of questions that people disagree on, and of flags."""
    if ambiguous := project_stats.progress(project).ambiguous:
        text = f"{ambiguous:,} question{pluralize(ambiguous)} to decide"
        yield Notice(text, Capability.REVIEW, "project-labels", "?state=ambiguous")
    flags = comments.open_flags(project)[: FLAGS_MAX + 1].count()
    if flags:
        many = f"{FLAGS_MAX:,}+" if flags > FLAGS_MAX else f"{flags:,}"
        yield Notice(f"{many} flag{pluralize(flags)}", Capability.REVIEW, "project-flags")


@register
def _recomputation(project: Project) -> Iterable[Notice]:
    """Tell of labels that cannot be recomputed for want of memory."""
    recomputation = getattr(project, "recomputation", None)
    if recomputation is not None and (text := schedule.complaint(recomputation)):
        yield Notice(text, Capability.MANAGE, "project-agreement")


@register
def _annotators(project: Project) -> Iterable[Notice]:
    """Tell of annotators whose answers turned bad, or are no better than chance."""
    if suspects := len(annotators.to_review(project=project)):
        text = f"{suspects:,} annotator{pluralize(suspects)} to look at"
        yield Notice(text, Capability.REVIEW, "project-annotators", "?only=suspect")


@register
def _webhooks(project: Project) -> Iterable[Notice]:
    """Tell of webhooks that were switched off since they took nothing."""
    off = project.webhooks.filter(active=False).exclude(off_reason="")
    for url in off.values_list("url", flat=True)[:NAMES_MAX]:
        text = f"The webhook to {truncatechars(urlsplit(url).hostname or url, 40)} is switched off"
        yield Notice(text, Capability.MANAGE, "project-webhooks")


@register
def _sites(project: Project) -> Iterable[Notice]:
    """Tell of sites whose visitors cannot be asked, or no more today."""
    active = list(project.sites.filter(active=True))
    if not active:
        return
    if not {Attempt.Door.GRID, Attempt.Door.TEXT}.intersection(attempts.doors(active[0])):
        text = "Nothing can be asked by the CAPTCHA"
        yield Notice(text, Capability.MANAGE, "project-captcha")
    begun = project_stats.begun_today(project)
    full = [site for site in active if begun.get(site.pk, 0) >= site.daily_quota]
    for site in full[:NAMES_MAX]:
        text = f"The site “{truncatechars(site.name, 40)}” has used up its attempts of today"
        yield Notice(text, Capability.MANAGE, "project-site", row=site.pk)


def _joined(project: Project, user: User) -> Iterable[Notice]:
    """Tell a member who joined by invitation since they last looked at the page of people."""
    own = Membership.objects.filter(project=project, user=user.pk).first()
    if own is None:
        return
    since = own.people_seen_at or own.created_at
    joined = project.memberships.filter(invitation__isnull=False, created_at__gt=since)
    rows = joined.exclude(pk=own.pk).select_related("user", "annotator").order_by("-pk")
    names = [str(row.user or row.annotator) for row in rows[: NAMES_MAX + 1]]
    if len(names) > NAMES_MAX:
        yield Notice("New members joined", Capability.MANAGE, "project-people")
    elif names:
        text = f"{', '.join(names)} joined"
        yield Notice(text, Capability.MANAGE, "project-people")
