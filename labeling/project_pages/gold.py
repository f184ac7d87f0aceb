"""Gold: how much each concept has and needs, its wall, proposals, and sessions to mark more."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import gold
from labeling.access import Capability
from labeling.gold import GoldError
from labeling.gold.need import Progress
from labeling.gold.wall import ORDERS, suspects
from labeling.models import Concept, GoldMark, Project, Question, Tile
from labeling.models.projects import name_key
from labeling.numbers import parse_id
from labeling.project_pages import base

SECTION = base.register(base.Section("project-gold", "Gold", 30))
PAGE = 40  # concepts on a page
WALL = 60  # pictures on a page
PAGES_MAX = 100_000
COUNT = 20  # pictures of a session, and of proposals

Origin = GoldMark.Origin


@require_GET
@base.page(Capability.VIEW)
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how much gold each concept has and needs, and why; those that lack most first."""
    wanted = name_key(request.GET.get("q", ""))
    rows = [row for row in gold.progress(project) if wanted in name_key(row.concept.name)]
    rows.sort(key=_urgency)
    pages = Paginator(rows, PAGE)
    suspect = suspects(project.pk)
    context = {
        "page": pages.get_page(request.GET.get("page")),
        "search": request.GET.get("q", ""),
        "many": project.concepts.count() > PAGE,
        "missing": sum(row.missing for row in rows),
        "gold": sum(row.gold + row.parts_yes + row.parts_no for row in rows),
        "suspect": suspect,
        "suspects": sum(suspect.values()),
        "count": COUNT,
        "next": next((row for row in rows if row.missing), None),
    }
    return base.render(request, project, "project/gold.html", context, section=SECTION)


@require_GET
@base.page(Capability.VIEW)
def wall(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show the gold of a concept, what people miss most often first."""
    concept = get_concept(project, pk)
    order = request.GET.get("order", "")
    order = order if order in ORDERS else next(iter(ORDERS))
    number = min(max(parse_id(request.GET.get("page", "")), 1), PAGES_MAX)
    questions, total = gold.wall(concept, order=order, offset=WALL * (number - 1), limit=WALL)
    context = {
        "concept": concept,
        "questions": questions,
        "total": total,
        "orders": ORDERS,
        "order": order,
        "number": number,
        "more": total > WALL * number,
    }
    return base.render(request, project, "project/gold_wall.html", context, section=SECTION)


@require_GET
@base.page(Capability.REVIEW)
def proposals(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show settled questions that may become gold."""
    concept = get_concept(project, pk)
    context = {"concept": concept, "questions": gold.propose(concept, COUNT)}
    return base.render(request, project, "project/gold_proposals.html", context, section=SECTION)


@require_GET
@base.page(Capability.REVIEW)
def session(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show pictures to mark, one after the other."""
    concept = get_concept(project, pk)
    context = {"concept": concept, "pictures": gold.session(concept, COUNT), "count": COUNT}
    return base.render(request, project, "project/gold_session.html", context, section=SECTION)


@require_POST
@base.page(Capability.REVIEW)
def decide(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Do what a form says with a tile and a concept, and return to where it was sent from."""
    concept = get_concept(project, pk)
    tiles = Tile.objects.select_related("image").filter(image__project=project)
    tile = get_object_or_404(tiles, pk=parse_id(request.POST.get("tile", "")))
    quiet = "quiet" in request.POST  # a script sends it, and tells what became of it itself
    try:
        done = _decide(request, tile, concept)
    except GoldError as error:
        if quiet:
            return HttpResponse(str(error), status=409, content_type="text/plain")
        messages.error(request, str(error))
    else:
        if quiet:
            return HttpResponse(status=204)
        messages.success(request, done)
    own = reverse("project-gold-wall", args=[project.slug, pk])
    return redirect(base.next_address(request, own))


@require_POST
@base.page(Capability.REVIEW)
def mark_question(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Make a question gold with the truth that it is decided or believed to have."""
    question = get_object_or_404(project.questions.select_related("concept", "tile__image"), pk=pk)
    value = {"yes": True, "no": False}.get(request.POST.get("gold", ""))
    by = cast(User, request.user)
    address = base.next_address(request, reverse("project-question", args=[project.slug, pk]))
    try:
        if value is None:
            gold.unmark(question=question, by=by, settle=True)
            messages.success(request, "It is gold no longer: its truth stays as a decision.")
        elif question.concept is None:
            gold.mark_caption(question=question, value=value, by=by)
        else:
            gold.mark(tile=question.tile, concept=question.concept, value=value, by=by)
        if value is not None:
            messages.success(request, f"It is gold now: {'yes' if value else 'no'}.")
    except GoldError as error:
        messages.error(request, str(error))
    return redirect(address)


def _decide(request: HttpRequest, tile: Tile, concept: Concept) -> str:
    """Do what was chosen; return it in a sentence. Raises GoldError."""
    by, choice = cast(User, request.user), request.POST.get("choice", "")
    origin = request.POST.get("origin", "")
    origin = origin if origin in Origin.values else Origin.QUESTION
    if choice in {"yes", "no"}:
        value = choice == "yes"
        gold.mark(tile=tile, concept=concept, value=value, by=by, origin=Origin(origin))
        return f"It is gold: {choice}."
    if choice == "aside":
        gold.set_aside(tile=tile, concept=concept, by=by, origin=Origin(origin))
        return "It is not gold, and will not be proposed again."
    question = Question.objects.filter(tile=tile, concept=concept).first()
    if choice not in {"retire", "withdraw"} or question is None:
        raise GoldError("Choose what to do with the picture: nothing was changed.")
    gold.unmark(question=question, by=by, settle=choice == "retire")
    return "It is gold no longer."


def _urgency(row: Progress) -> tuple[int, str]:
    """Sort what lacks most first, then by name."""
    return -row.missing, row.concept.name


def get_concept(project: Project, pk: int) -> Concept:
    """Return a concept of a project by its id. Raises Http404."""
    concepts = project.concepts.filter(merged_into=None).select_related("project")
    return get_object_or_404(concepts, pk=pk)


urlpatterns: list[Any] = [
    path("gold/", overview, name="project-gold"),
    path("gold/<int:pk>/", wall, name="project-gold-wall"),
    path("gold/<int:pk>/proposals/", proposals, name="project-gold-proposals"),
    path("gold/<int:pk>/session/", session, name="project-gold-session"),
    path("gold/<int:pk>/decide/", decide, name="project-gold-decide"),
    path("questions/<int:pk>/gold/", mark_question, name="project-question-gold"),
]
