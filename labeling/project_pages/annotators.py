"""Those who answered in a project: a list, each one's answers there, and whether these count."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import (
    annotators,
    answer_history,
    project_annotators,
    project_stats,
    review,
    svg,
    withdrawals,
)
from labeling.access import Capability
from labeling.models import Annotator, Project
from labeling.numbers import count
from labeling.project_annotators import Row
from labeling.project_pages import base, removals
from labeling.project_pages.people import SECTION

PAGE = 50  # annotators
COLUMNS = {
    "answers": "Answers here",
    "reliability": "Reliability, with its 90 % interval",
    "gold": "Gold right here",
    "since": "Since",
    "seen": "Last here",
}


class Filters(forms.Form):
    """Which annotators are listed, and in which order; what cannot be read is left out."""

    sort = forms.ChoiceField(choices=[(name, name) for name in COLUMNS], required=False)
    order = forms.ChoiceField(choices=[("up", "up"), ("down", "down")], required=False)
    name = forms.CharField(max_length=150, required=False, strip=True)
    only = forms.ChoiceField(
        choices=[
            ("", "All"),
            ("suspect", "To look at"),
            ("blocked", "Blocked"),
            ("visitors", "Visitors of sites"),
        ],
        required=False,
    )

    def value(self, name: str, default: str = "") -> str:
        """Return what was asked for, or the default."""
        return str(self.cleaned_data.get(name) or default) if self.is_valid() else default


@require_GET
@base.page(Capability.REVIEW)
def listing(request: HttpRequest, project: Project) -> HttpResponse:
    """Show those who answered in the project, a page at a time."""
    filters = Filters(request.GET)
    sort, ascending = filters.value("sort", "answers"), filters.value("order") == "up"
    rows = project_annotators.listing(
        project,
        sort=sort,
        ascending=ascending,
        name=filters.value("name"),
        only=filters.value("only"),
    )
    rows = _from_position(rows, sort, ascending, request.GET.get("after", ""))
    page = list(rows[: PAGE + 1])
    counted = project_annotators.with_counts(page[:PAGE], project)
    context = {
        "rows": [_cells(row) for row in counted],
        "columns": [_column(request, name, sort, ascending) for name in COLUMNS],
        "only": filters.value("only"),
        "name": filters.value("name"),
        "choices": filters.fields["only"].choices,  # type: ignore[attr-defined]
        "next": _link(request, after=_position(page[PAGE - 1])) if len(page) > PAGE else "",
        "first": _link(request, after="") if request.GET.get("after") else "",
        "visitors": project_stats.progress(project).visitors,
        "page_name": "annotators",
    }
    return base.render(request, project, "project/annotators.html", context, section=SECTION)


@require_GET
@base.page(Capability.REVIEW)
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one annotator's answers in this project, against the truth and over time."""
    annotator = _find(project, pk)
    (row,) = project_annotators.with_counts([annotator], project)
    reason = project_annotators.refusal(
        project=project, annotator=annotator, by=cast(User, request.user)
    )
    context = {
        **_cells(row),
        "record": annotators.records([annotator], project=project)[annotator.pk],
        **answer_history.of(annotator, project=project),
        "spells": annotator.suspect_spells.all(),
        "block_refusal": reason,
        "page_name": "annotators",
    }
    return base.render(request, project, "project/annotator.html", context, section=SECTION)


@require_POST
@base.page(Capability.REVIEW)
def set_blocked(request: HttpRequest, project: Project, pk: int, blocked: bool) -> HttpResponse:
    """Block or unblock an annotator, then go back to where the button was."""
    annotator = _find(project, pk)
    try:
        changed = project_annotators.set_blocked(
            project=project, annotator=annotator, blocked=blocked, by=cast(User, request.user)
        )
    except project_annotators.BlockError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _done(annotator, blocked, changed))
    own = reverse("project-annotator", args=[project.slug, pk])
    return redirect(base.next_address(request, own))


@require_POST
@base.page(Capability.MANAGE)
def withdraw(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete all that somebody answered and wrote in the project."""
    annotator = _find(project, pk)
    withdrawn = withdrawals.withdraw_all(
        annotator=annotator,
        project=project,
        reason=withdrawals.Reason.REMOVED,
        by=cast(User, request.user),
    )
    messages.success(request, f"Removed {withdrawn} of {annotator} from this project.")
    removals.say_consequences(request, project)
    return redirect("project-annotators", project.slug)


def _done(annotator: Annotator, blocked: bool, changed: int) -> str:
    what = count(changed, "label") if changed else "no label"
    effect = "count no longer, in any project" if blocked else "count again, in all projects"
    rest = ""
    if annotator.answers_count > review.AT_ONCE:
        rest = f" by the newest {review.AT_ONCE:,} answers, the others follow within minutes"
    return f"The answers of {annotator} {effect}: {what} changed{rest}."


def _find(project: Project, pk: int) -> Annotator:
    annotator = project_annotators.find(project, pk)
    if annotator is None:
        raise Http404("Nobody by that number has answered here.")
    return annotator


def _cells(row: Row) -> dict[str, Any]:
    mean, low, high = annotators.reliability(row.annotator)
    return {
        "row": row,
        "annotator": row.annotator,
        "interval": svg.interval(mean, low, high),
        "reliability": f"{mean:.2f}",
        "range": f"{low:.2f} to {high:.2f}",
        "look": annotators.needs_review(row.annotator),
    }


def _column(request: HttpRequest, name: str, sort: str, ascending: bool) -> dict[str, str]:
    """Return a column's title, and the link that sorts by it, or turns its order round."""
    here = name == sort
    order = "up" if here and not ascending else "down"
    return {
        "title": COLUMNS[name],
        "url": _link(request, sort=name, order=order, after=""),
        "sorted": ("ascending" if ascending else "descending") if here else "",
        "name": name,
    }


def _link(request: HttpRequest, **changes: str) -> str:
    query = request.GET.copy()
    for name, value in changes.items():
        if value:
            query[name] = value
        else:
            query.pop(name, None)
    return f"?{query.urlencode()}"


def _position(annotator: Annotator) -> str:
    key = annotator.key  # type: ignore[attr-defined]
    value = key.isoformat() if isinstance(key, datetime) else key
    return urlsafe_b64encode(json.dumps([value, annotator.pk]).encode()).decode()


def _from_position(
    rows: QuerySet[Annotator], sort: str, ascending: bool, position: str
) -> QuerySet[Annotator]:
    """Go on after a position; one that cannot be read is the beginning."""
    try:
        value, pk = json.loads(urlsafe_b64decode(position.encode()))
        key = datetime.fromisoformat(value) if sort in ("since", "seen") else float(value)
        pk = int(pk)
    except (ValueError, TypeError):
        return rows
    return project_annotators.after(rows, key, pk, ascending=ascending)


urlpatterns = [
    path("people/annotators/", listing, name="project-annotators"),
    path("people/annotators/<int:pk>/", detail, name="project-annotator"),
    path("people/annotators/<int:pk>/withdraw/", withdraw, name="project-annotator-withdraw"),
    path(
        "people/annotators/<int:pk>/block/",
        set_blocked,
        {"blocked": True},
        "project-annotator-block",
    ),
    path(
        "people/annotators/<int:pk>/unblock/",
        set_blocked,
        {"blocked": False},
        "project-annotator-unblock",
    ),
]
