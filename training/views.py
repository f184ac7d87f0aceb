"""The studio: the page that draws from a prompt, and from none."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache

from training import feedback, generation_limits
from training.models import Model

OFFERED = 40  # models to choose from


@never_cache
def studio(request: HttpRequest) -> HttpResponse:
    """What to draw, with which model; the pictures come by the API."""
    models = list(generation_limits.models()[:OFFERED])
    chosen = _chosen(request, models)
    if chosen and chosen not in models:
        models.append(chosen)
    context = {
        "models": _told(models),
        "model": chosen,
        "project": chosen.project if chosen else None,
        "may_ask": request.user.is_staff and request.user.has_perm("labeling.add_question"),
        "limits": generation_limits,
    }
    return render(request, "studio.html", context)


def _chosen(request: HttpRequest, models: list[Model]) -> Model | None:
    """`?model=3`, be it current or not, or `?project=demo`; else the first."""
    number = request.GET.get("model", "")
    plain = number.isascii() and number.isdigit() and len(number) < 19
    if plain and (found := generation_limits.models().filter(pk=int(number)).first()):
        return found
    slug = request.GET.get("project")
    return next((m for m in models if m.project.slug == slug), models[0] if models else None)


def _told(models: list[Model]) -> list[dict[str, Any]]:
    """What the page knows of each model."""
    projects = {model.project_id: model.project for model in models}
    suggestions = {
        pk: [concept.phrase for concept in feedback.best_known(project)]
        for pk, project in projects.items()
    }
    return [
        {
            "id": model.pk,
            "name": f"{model.recipe} no. {model.pk}",
            "current": model.current,
            "project": model.project.name,
            "learnt_from": _learnt_from(model),
            "suggestions": suggestions[model.project_id],
            "completes": model.recipe in generation_limits.COMPLETING,
            "examples": len(generation_limits.examples(model))
            if model.recipe in generation_limits.COMPLETING
            else 0,
        }
        for model in models
    ]


def _learnt_from(model: Model) -> int | None:
    snapshot = model.run.snapshot
    return snapshot.counts.get("train") if snapshot else None


urlpatterns = [path("draw/", studio, name="draw")]
