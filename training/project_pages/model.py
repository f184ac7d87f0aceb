"""The page of a model: its verdict, whether it is the current one, its figures, its drawings."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from labeling.access import Capability
from labeling.models import Project
from labeling.numbers import parse_id
from labeling.project_pages import base
from training import generators, promotion, tasks, verdicts
from training.engine.presets import RECIPES, SMOKE
from training.models import Model, Promotion
from training.project_pages import metric_rows, models
from training.project_pages.verdict_bar import bar

HISTORY_MAX = 10  # changes of the recipe's current model
DRAWN = 24  # samples


@require_GET
@base.page(Capability.VIEW)
def model(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show the model."""
    return _render(request, _get_model(project, pk))


@require_POST
@base.page(Capability.TRAIN)
def promote(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Make it the current one: roll back to it, or overrule its comparison."""
    row = _get_model(project, pk)
    seen = parse_id(request.POST.get("instead_of", ""))
    done = f"The current one is {row} now."
    return _change(request, row, tasks.promote, done, model=row, seen=seen)


@require_POST
@base.page(Capability.TRAIN)
def demote(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Take the current model back."""
    row = _get_model(project, pk)
    done = f"No {row.recipe} model is current now."
    return _change(request, row, tasks.demote, done, model=row)


@require_POST
@base.page(Capability.TRAIN)
def undo(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Undo the last change of the current model of the recipe."""
    row = _get_model(project, pk)
    number = parse_id(request.POST.get("change", ""))
    change = get_object_or_404(Promotion, pk=number, project=project, recipe=row.recipe)
    return _change(request, row, tasks.undo_promotion, "It is undone.", change=change)


def _change(
    request: HttpRequest,
    row: Model,
    apply: Callable[..., Promotion],
    done: str,
    **arguments: object,
) -> HttpResponse:
    """Change the current model; where that cannot be, say why and keep the reason."""
    reason = request.POST.get("reason", "")
    try:
        apply(by=cast(User, request.user), reason=reason, **arguments)
    except promotion.PromotionError as error:
        row.refresh_from_db()
        return _render(request, row, refusal=str(error), reason=reason, status=409)
    messages.success(request, done)
    return redirect("project-model", row.project.slug, row.pk)


def _render(
    request: HttpRequest, row: Model, *, refusal: str = "", reason: str = "", status: int = 200
) -> HttpResponse:
    context = _context(row) | {"refusal": refusal, "reason": reason}
    template, section = "project/model.html", models.SECTION
    return base.render(request, row.project, template, context, section=section, status=status)


def _get_model(project: Project, pk: int) -> Model:
    related = ("project", "run__snapshot")
    return get_object_or_404(Model.objects.select_related(*related), pk=pk, project=project)


def _context(row: Model) -> dict[str, Any]:
    current = promotion.current_of(row.project_id, row.recipe)
    beside = verdicts.baseline(row) or (current if current != row else None)
    last = promotion.last_change(row.project_id, row.recipe)
    return {
        "model": row,
        "about": RECIPES.get(row.recipe, ""),
        "standing": verdicts.standing(row),
        "sentence": verdicts.sentence(row),
        "figures": [(figure, bar(figure)) for figure in verdicts.figures(row)],
        "beside_encoder": verdicts.beside_encoder(row),
        "same_prompts": verdicts.same_prompts(row),
        "answers": (row.verdict or {}).get("answers", 0),
        "baseline": verdicts.baseline(row),
        "beside": beside,
        "current": current,
        "was_current": row.promotions.exists(),
        "last_change": last,
        "history": [_entry(change) for change in _history(row)],
        "metrics": metric_rows.rows(row.run.metrics, beside.run.metrics if beside else {}),
        "feedback": verdicts.feedback(row),
        "draws": generators.draws(row.recipe),
        "translates": generators.translates(row.recipe),
        "public": generators.is_accepted(row),
        "trial": row.run.preset == SMOKE,
        "has_files": not row.lacks_files,
        "delay": row.delay_reason,
        "samples": models.samples(row, DRAWN),
        "reason_max": promotion.REASON_MAX,
    }


def _history(row: Model) -> list[Promotion]:
    return list(promotion.history(row.project_id, row.recipe)[:HISTORY_MAX])


def _entry(change: Promotion) -> dict[str, Any]:
    return {
        "change": change,
        "in_words": verdicts.changed(change),
        "decided_by": verdicts.decided_by(change),
        "undone": hasattr(change, "undone_by"),
    }


urlpatterns = [
    path("models/<int:pk>/", model, name="project-model"),
    path("models/<int:pk>/promote/", promote, name="project-model-promote"),
    path("models/<int:pk>/demote/", demote, name="project-model-demote"),
    path("models/<int:pk>/undo/", undo, name="project-model-undo"),
]
