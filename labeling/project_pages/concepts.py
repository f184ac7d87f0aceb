"""Concepts: all of a project with their numbers; add, switch on and off, merge."""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from labeling import concept_counts, concepts, merging, project_stats, tasks
from labeling.access import Capability
from labeling.concepts import ConceptError
from labeling.models import Concept, Project
from labeling.models.sorting import BY_NAME
from labeling.numbers import count, parse_id
from labeling.project_pages import base
from labeling.project_pages.concept_forms import ListForm, MergeForm

SECTION = base.register(base.Section("project-concepts", "Concepts", 20))
PAGE = 50  # concepts
ORDERS = {"name": "By name", "new": "Newest first", "examples": "Fewest examples first"}
_ORDER_BY = {
    "name": (*BY_NAME, "pk"),
    "new": ("-pk",),
    "examples": ("examples_count", *BY_NAME, "pk"),
}


@base.page(Capability.VIEW)
def listing(request: HttpRequest, project: Project) -> HttpResponse:
    """Show a project's concepts, a page at a time."""
    return _listing(request, project, ListForm(label_suffix=""))


@require_POST
@base.page(Capability.MANAGE)
def add(request: HttpRequest, project: Project) -> HttpResponse:
    """Add the concepts of a list; what did not fit is shown again, line by line."""
    form = ListForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _listing(request, project, form, status=400)
    by = cast(User, request.user)
    try:
        added = concepts.add_lines(project=project, text=form.cleaned_data["lines"], by=by)
    except ConceptError as error:
        form.add_error("lines", str(error))
        return _listing(request, project, form, status=400)
    tasks.finish_concepts_later()
    if added.concepts:
        messages.success(request, f"Added {count(len(added.concepts), 'concept')}.")
    if not added.problems:
        return redirect(f"{reverse('project-concepts', args=[project.slug])}?order=new")
    rest = ListForm(initial={"lines": added.rest}, label_suffix="")
    return _listing(request, project, rest, problems=added.problems)


@require_POST
@base.page(Capability.MANAGE)
def change(request: HttpRequest, project: Project) -> HttpResponse:
    """Switch the selected concepts on or off, or ask which one stays of them."""
    selected = request.POST.getlist("concept")
    back = _back(request, project)
    if not selected:
        messages.error(request, "No concept is selected: tick some first.")
        return back
    if request.POST.get("do") == "merge":
        query = urlencode([("concept", pk) for pk in selected])
        return redirect(f"{reverse('project-concepts-merge', args=[project.slug])}?{query}")
    active = request.POST.get("do") == "on"
    rows = _listed(project).filter(pk__in=set(map(parse_id, selected)))
    changed = [each for each in rows.select_related("project") if each.active != active]
    for concept in changed:
        concepts.edit(concept=concept, active=active, by=cast(User, request.user))
    switched = count(len(changed), "concept")
    messages.success(request, f"Switched {switched} {'on' if active else 'off'}.")
    return back


@base.page(Capability.MANAGE)
def merge(request: HttpRequest, project: Project) -> HttpResponse:
    """Ask which of the chosen concepts stays, and merge the others into it."""
    chosen = request.GET.getlist("concept")
    form = MergeForm(request.POST or None, chosen=chosen, project=project, label_suffix="")
    if problem := form.problem():
        messages.error(request, problem)
        return redirect("project-concepts", project.slug)
    if request.method == "POST" and form.is_valid():
        into = form.cleaned_data["into"]
        merge_all(request, [each for each in form.chosen if each != into], into)
        return redirect("project-concept", project.slug, into.pk)
    context = {"form": form}
    return base.render(request, project, "project/concepts_merge.html", context, section=SECTION)


def _listing(
    request: HttpRequest,
    project: Project,
    form: ListForm,
    *,
    problems: Iterable[Any] = (),
    status: int = 200,
) -> HttpResponse:
    search, only = request.GET.get("q", "").strip(), request.GET.get("only", "")
    order = request.GET.get("order", "")
    order = order if order in ORDERS else "name"
    rows = _listed(project)
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(aliases__icontains=search))
    if only in {"on", "off"}:
        rows = rows.filter(active=only == "on")
    if order == "examples":
        rows = rows.annotate(examples_count=Count("examples"))
    pages = Paginator(rows.order_by(*_ORDER_BY[order]), PAGE)
    page = pages.get_page(request.GET.get("page"))
    shown = list(page.object_list)
    counts = concept_counts.counts(shown)
    chosen = {"q": search, "only": only, "order": order if order != "name" else ""}
    context = {
        "page": page,
        "rows": [(concept, counts[concept.pk]) for concept in shown],
        "total": _listed(project).count(),
        "search": search,
        "only": only,
        "order": order,
        "orders": ORDERS,
        "query": urlencode({name: value for name, value in chosen.items() if value}),
        "form": form,
        "problems": problems,
    }
    template = "project/concepts.html"
    return base.render(request, project, template, context, section=SECTION, status=status)


def _listed(project: Project) -> QuerySet[Concept]:
    return project.concepts.filter(merged_into=None)


def _back(request: HttpRequest, project: Project) -> HttpResponseRedirect:
    """Return to the page of the list that a form was on."""
    query = request.POST.get("query", "")
    address = reverse("project-concepts", args=[project.slug])
    return redirect(f"{address}?{query}" if query else address)


def merge_all(request: HttpRequest, merged: list[Concept], into: Concept) -> None:
    """Merge concepts one by one, and say what became of each."""
    for concept in merged:
        try:
            result = merging.merge(concept=concept, into=into, by=cast(User, request.user))
        except ConceptError as error:
            messages.error(request, str(error))
            continue
        for each in (result.concept, result.into):
            tasks.finish_concept_later(each)
        messages.success(request, str(result))
    project_stats.forget_all()


urlpatterns = [
    path("concepts/", listing, name="project-concepts"),
    path("concepts/add/", add, name="project-concepts-add"),
    path("concepts/change/", change, name="project-concepts-change"),
    path("concepts/merge/", merge, name="project-concepts-merge"),
]
