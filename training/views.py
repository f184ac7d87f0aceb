"""The studio: the page on which anyone has a model generate samples."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache

from training import generation_requests, generators, lookup
from training.models import Model

MODELS_MAX = 40  # to choose from


@never_cache
def studio(request: HttpRequest) -> HttpResponse:
    """Show the form; the samples come by the API."""
    models = list(generators.all_models()[:MODELS_MAX])
    chosen = _chosen(request, models)
    if chosen and chosen not in models:
        models.append(chosen)
    context = {
        "models": [_for_page(model) for model in models],
        "model": chosen,
        "project": chosen.project if chosen else None,
        "may_ask": request.user.is_staff and request.user.has_perm("labeling.add_question"),
        "limits": generation_requests,
    }
    return render(request, "studio.html", context)


def _chosen(request: HttpRequest, models: list[Model]) -> Model | None:
    """Return the model of `?model=3`, current or not, that of `?project=demo`, or the first."""
    number = lookup.parse_id(request.GET.get("model", ""))
    if model := generators.all_models().filter(pk=number).first():
        return model
    slug = request.GET.get("project")
    return next((m for m in models if m.project.slug == slug), models[0] if models else None)


def _for_page(model: Model) -> dict[str, Any]:
    """Return what the page's script knows of a model."""
    inpaints = generators.inpaints(model.recipe)
    snapshot = model.run.snapshot
    return {
        "id": model.pk,
        "name": f"{model.recipe} no. {model.pk}",
        "current": model.current,
        "project": model.project.name,
        "training_images": snapshot.counts.get("train") if snapshot else None,
        "suggestions": model.suggestions,
        "inpaints": inpaints,
        "examples": len(generators.examples(model)) if inpaints else 0,
    }


urlpatterns = [path("draw/", studio, name="draw")]
