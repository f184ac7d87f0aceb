"""The wall: a project's questions as pictures, to be decided one by one or many at once."""

import re
from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import decisions, project_stats, review_order, svg
from labeling.access import Capability
from labeling.decisions import DecisionError, Outcome
from labeling.models import DecisionBatch, Project
from labeling.numbers import count, parse_id
from labeling.project_pages import base, review_queue, stats

SECTION = base.register(base.Section("project-labels", "Labels", 40))

_SELECTED = re.compile(r"([0-9]{1,18}):((?:gold-)?(?:yes|no)|)")


@require_GET
@base.page(Capability.VIEW)
def wall(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how far the project is, and its questions a page at a time."""
    filters = review_queue.Filters(request.GET, project=project, user=request.user)
    position = filters.cleaned_data.get("after")
    questions = review_order.after(
        filters.questions().select_related("concept", "tile"), position, review_queue.PAGE + 1
    )
    page = questions[: review_queue.PAGE]
    more = review_order.Position.of(page[-1]) if len(questions) > review_queue.PAGE else None
    context = {
        "progress": stats.progress(project),
        "texts": project_stats.texts(project),
        "filters": filters,
        "query": filters.query,
        "here": _here(filters),
        "tiles": [(question, svg.probability_bar(question)) for question in page],
        "more": more,
        "first_page": position is None,
        "undoable": decisions.undoable(project=project, by=cast(User, request.user)),
    }
    return base.render(request, project, "project/labels.html", context, section=SECTION)


@require_POST
@base.page(Capability.REVIEW)
def decide(request: HttpRequest, project: Project) -> HttpResponse:
    """Decide all selected questions, say what became of them, and show the page again."""
    choice = request.POST.get("decision", "")
    matches = [_SELECTED.fullmatch(value) for value in request.POST.getlist("question")]
    seen = {int(match[1]): match[2] for match in matches if match}
    try:
        outcome = decisions.decide_many(
            project=project, choice=choice, seen=seen, by=cast(User, request.user)
        )
    except DecisionError as error:
        messages.error(request, str(error))
    else:
        _tell(request, outcome, decisions.DONE[DecisionBatch.Choice(choice)])
    return _back(request, project)


@require_POST
@base.page(Capability.REVIEW)
def undo(request: HttpRequest, project: Project) -> HttpResponse:
    """Undo the reviewer's own last decision about many questions."""
    own = DecisionBatch.objects.filter(project=project, user=request.user.pk)
    batch = own.filter(pk=parse_id(request.POST.get("batch", ""))).first()
    if batch is None:
        messages.error(request, "That cannot be undone any more: nothing was changed.")
        return _back(request, project)
    try:
        outcome = decisions.undo(batch=batch, by=cast(User, request.user))
    except DecisionError as error:
        messages.error(request, str(error))
    else:
        _tell(request, outcome, "Put back as before:")
    return _back(request, project)


def _back(request: HttpRequest, project: Project) -> HttpResponse:
    """Return to the page of the wall that the form was on."""
    filters = review_queue.Filters(request.GET, project=project, user=request.user)
    return redirect(reverse("project-labels", args=[project.slug]) + _here(filters))


def _here(filters: review_queue.Filters) -> str:
    """Return the query string of a page of the wall, with its "?" if there is any."""
    after = filters.cleaned_data.get("after")
    query = "&".join(filter(None, [filters.query, f"after={after}" if after else ""]))
    return f"?{query}" if query else ""


def _tell(request: HttpRequest, outcome: Outcome, done: str) -> None:
    """Say how many questions changed, and why others did not."""
    parts = []
    if outcome.changed or not outcome.refused:
        parts.append(f"{done} {count(outcome.changed, 'question')}.")
    if outcome.unchanged:
        parts.append(f"{count(outcome.unchanged, 'question').capitalize()} were so before.")
    if outcome.refused:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in outcome.reasons())
        parts.append(
            f"Left as {'it was' if len(outcome.refused) == 1 else 'they were'}: {reasons}."
        )
    level = messages.WARNING if outcome.refused else messages.SUCCESS
    messages.add_message(request, level, " ".join(parts))


urlpatterns = [
    path("labels/", wall, name="project-labels"),
    path("labels/decide/", decide, name="project-labels-decide"),
    path("labels/undo/", undo, name="project-labels-undo"),
]
