"""The history of a project: every change that matters, by kind and person, and as a file."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Model
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from labeling import access, history
from labeling.access import Capability
from labeling.history import Filters
from labeling.models import (
    Annotator,
    Concept,
    Event,
    Image,
    Import,
    Invitation,
    Membership,
    Project,
    Question,
)
from labeling.numbers import parse_id
from labeling.project_pages import base

SECTION = base.register(base.Section("project-history", "History", 70))
PAGE = 50  # events


@dataclass(frozen=True)
class ObjectPage:
    """The page of what an event is about."""

    model: type[Model]
    name: str  # of the URL pattern, which takes the slug and the id
    takes_id: bool = True


_pages: dict[str, ObjectPage] = {}


def register(page: ObjectPage) -> None:
    """Let events lead to the pages of a model's rows."""
    _pages[page.model._meta.model_name or ""] = page


register(ObjectPage(Question, "project-question"))
register(ObjectPage(Concept, "project-concept"))
register(ObjectPage(Import, "project-import"))
register(ObjectPage(Image, "project-picture"))
register(ObjectPage(Annotator, "project-annotator"))
register(ObjectPage(Membership, "project-people", takes_id=False))
register(ObjectPage(Invitation, "project-people", takes_id=False))


@require_GET
@base.page(Capability.VIEW)
def listing(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the newest events, a page at a time."""
    filters = _filters(request, project)
    position = parse_id(request.GET.get("before", "")) or None
    events = list(history.events(project, filters, before=position, count=PAGE + 1))
    page = events[:PAGE]
    query = request.GET.copy()
    query.pop("before", None)
    links = _links(page, project)
    context = {
        "events": [(event, links.get(event.pk, "")) for event in page],
        "itself": history.ITSELF,
        "filters": filters,
        "kinds": Event.Kind.choices,
        "people": _people(project),
        "query": query.urlencode(),
        "next": page[-1].pk if len(events) > PAGE else None,
        "first_page": position is None,
    }
    return base.render(request, project, "project/history.html", context, section=SECTION)


@require_GET
@base.page(Capability.VIEW)
def download(request: HttpRequest, project: Project) -> StreamingHttpResponse:
    """Send the history as CSV, with the same filters."""
    response = StreamingHttpResponse(
        history.csv_lines(project, _filters(request, project)),
        content_type="text/csv; charset=utf-8",
    )
    name = f"history-{slugify(project.slug)}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _filters(request: HttpRequest, project: Project) -> Filters:
    """Return what was asked for; who answers is shown to reviewers only."""
    kind = request.GET.get("kind", "")
    actor = request.GET.get("actor", "").replace("\0", "").strip()[:150]
    return Filters(
        kind=kind if kind in Event.Kind.values else "",
        actor=actor,
        annotators=access.may(request.user, project, Capability.REVIEW),
    )


def _people(project: Project) -> list[str]:
    """Return the names of members, for the filter to offer."""
    names = project.memberships.filter(user__isnull=False).values_list("user__username", flat=True)
    return [history.ITSELF, *names[:200]]


def _links(page: Iterable[Event], project: Project) -> dict[int, str]:
    """Return the address of what each event is about, by the event's id, where it still exists."""
    links: dict[int, str] = {}
    for kind, object_page in _pages.items():
        events = [e for e in page if e.object_type == kind and e.object_id.isdecimal()]
        ids = {int(event.object_id) for event in events}
        rows = object_page.model._default_manager.filter(pk__in=ids) if ids else ()
        existing = {str(row.pk) for row in rows}
        for event in events:
            if event.object_id in existing:
                arguments = (
                    [project.slug, event.object_id] if object_page.takes_id else [project.slug]
                )
                links[event.pk] = reverse(object_page.name, args=arguments)
    return links


urlpatterns = [
    path("history/", listing, name="project-history"),
    path("history/history.csv", download, name="project-history-csv"),
]
