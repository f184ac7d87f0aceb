"""One concept: its names, phrases and definition, and examples picked from the pictures."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from labeling import (
    access,
    concept_counts,
    concepts,
    example_candidates,
    examples,
    exclusion_rules,
    guides,
    tasks,
)
from labeling.access import Capability
from labeling.concepts import ConceptError, Conflict
from labeling.example_candidates import Wall
from labeling.models import Concept, ConceptExample, Project, Question, Tile
from labeling.models.examples import EXAMPLES_MAX
from labeling.numbers import parse_id
from labeling.project_pages import base
from labeling.project_pages.concept_forms import ConceptForm, ExclusionForm
from labeling.project_pages.concepts import SECTION

WALL = 24  # pictures
WALLS = {Wall.YES: "Likely yes", Wall.NO: "Likely no", Wall.HARD: "Hard or disputed"}
_COMPARED = ("name", "phrase", "definition", "aliases", "active", "value")


@base.page(Capability.VIEW)
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show a concept, and save what is changed of it."""
    concept = _concept(project, pk)
    if request.method != "POST":
        return _detail(request, project, concept, ConceptForm(concept=concept))
    if not access.may(request.user, project, Capability.MANAGE):
        return HttpResponse("Your role in this project does not allow it.", status=403)
    form = ConceptForm(request.POST, concept=concept)
    if form.is_valid() and _save(request, concept, form):
        messages.success(request, "Saved. Annotators see it at once.")
        return redirect("project-concept", project.slug, pk)
    return _detail(request, project, _concept(project, pk), form, status=400)


@require_POST
@base.page(Capability.MANAGE)
def example(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Make a picture an example, change its kind or note, or remove it."""
    concept = _concept(project, pk)
    tiles = Tile.objects.select_related("image").filter(image__project=project)
    tile = get_object_or_404(tiles, pk=parse_id(request.POST.get("tile", "")))
    quiet = "quiet" in request.POST  # a script sends it, and shows what became of it itself
    try:
        _set_example(request, concept, tile)
    except ConceptError as error:
        if quiet:
            return HttpResponse(str(error), status=409, content_type="text/plain")
        messages.error(request, str(error))
    if quiet:
        return HttpResponse(status=204)
    wall = request.POST.get("wall", "")
    address = reverse("project-concept", args=[project.slug, pk])
    query = f"?wall={wall}" if wall in list(Wall) else ""
    return redirect(f"{address}{query}#{'wall' if query else 'examples'}")


@require_POST
@base.page(Capability.MANAGE)
def exclusion(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Say whether one picture can show a concept and another one, or take that back."""
    concept = _concept(project, pk)
    address = f"{reverse('project-concept', args=[project.slug, pk])}#together"
    form = ExclusionForm(request.POST, concept=concept)
    if not form.is_valid():
        messages.error(request, "Choose another concept of this project: that one is not there.")
        return redirect(address)
    by, other = cast(User, request.user), form.cleaned_data["other"]
    done = request.POST.get("do", "")
    if done not in {"together", "never", "back"}:
        messages.error(request, "Say whether one picture can show both: nothing was changed.")
        return redirect(address)
    try:
        if done == "back":
            exclusion_rules.take_back(concept=concept, other=other, by=by)
            said = f"Taken back: answers show again whether one picture shows “{other}”, too."
        else:
            together = done == "together"
            exclusion_rules.state(concept=concept, other=other, together=together, by=by)
            said = f"Noted: one picture {'can show' if together else 'never shows'} “{other}”, too."
    except ConceptError as error:
        messages.error(request, str(error))
        return redirect(address)
    messages.success(request, f"{said} Labels follow within minutes.")
    return redirect(address)


@require_POST
@base.page(Capability.MANAGE)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete a concept that nobody has answered about."""
    concept = _concept(project, pk)
    try:
        concepts.delete(concept, by=cast(User, request.user))
    except ConceptError as error:
        messages.error(request, str(error))
        return redirect("project-concept", project.slug, pk)
    messages.success(request, f"Deleted “{concept}”.")
    return redirect("project-concepts", project.slug)


def _concept(project: Project, pk: int) -> Concept:
    rows = project.concepts.filter(merged_into=None).select_related("project")
    return get_object_or_404(rows, pk=pk)


def _save(request: HttpRequest, concept: Concept, form: ConceptForm) -> bool:
    """Save a valid form; return False where it says now what was wrong."""
    values = {name: value for name, value in form.cleaned_data.items() if value is not None}
    try:
        saved = concepts.edit(
            concept=concept, phrases=form.translations(), by=cast(User, request.user), **values
        )
    except Conflict as error:
        form.add_error(None, str(error))
        _offer_again(form, concept)
        return False
    except ConceptError as error:
        form.add_error(None, str(error))
        return False
    tasks.finish_concept_later(saved)
    return True


def _offer_again(form: ConceptForm, concept: Concept) -> None:
    """Keep what was typed, say what differs from what is stored, and let it be saved again."""
    concept.refresh_from_db()
    for name in _COMPARED:
        stored, typed = getattr(concept, name), form.cleaned_data.get(name)
        if stored != typed:
            shown = ", ".join(stored) if isinstance(stored, list) else stored
            form.add_error(name, f"It is now: {shown if shown != '' else '(empty)'}")
    form.data = {**form.data.dict(), "version": str(concept.version)}  # type: ignore[attr-defined]


def _detail(
    request: HttpRequest,
    project: Project,
    concept: Concept,
    form: ConceptForm,
    *,
    status: int = 200,
) -> HttpResponse:
    wall = request.GET.get("wall", "")
    wall = Wall(wall) if wall in list(Wall) else Wall.YES
    chosen = guides.examples(concept)
    questions = Question.objects.filter(concept=concept, tile__examples__in=chosen)
    verdicts = dict(questions.values_list("tile", "verdict"))
    context = {
        "concept": concept,
        "stated": exclusion_rules.stated(concept),
        "exclusion_form": ExclusionForm(concept=concept),
        "counts": concept_counts.counts([concept])[concept.pk],
        "answers": concepts.answers_count(concept),
        "form": form,
        "examples": [(each, verdicts.get(each.tile_id)) for each in chosen],
        "room": EXAMPLES_MAX - len(chosen),
        "kinds": ConceptExample.Kind.choices,
        "wall": wall,
        "walls": WALLS,
        "candidates": example_candidates.candidates(concept, wall, WALL),
    }
    template = "project/concept.html"
    return base.render(request, project, template, context, section=SECTION, status=status)


def _set_example(request: HttpRequest, concept: Concept, tile: Tile) -> None:
    """Do what was chosen. Raises ConceptError."""
    by, kind = cast(User, request.user), request.POST.get("choice", "")
    existing = concept.examples.select_related("concept__project", "tile__image")
    row = existing.filter(tile=tile).first()
    if kind == "remove":
        if row is not None:
            examples.remove(example=row, by=by)
        return
    note = request.POST.get("note", row.note if row else "")
    examples.choose(concept=concept, tile=tile, kind=kind, note=note, by=by)


urlpatterns = [
    path("concepts/<int:pk>/", detail, name="project-concept"),
    path("concepts/<int:pk>/examples/", example, name="project-concept-example"),
    path("concepts/<int:pk>/exclusions/", exclusion, name="project-concept-exclusion"),
    path("concepts/<int:pk>/delete/", delete, name="project-concept-delete"),
]
