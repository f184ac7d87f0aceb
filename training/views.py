"""The studio: the page on which anyone has a model generate samples."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from labeling import access
from labeling.access import Capability
from labeling.models import Project
from labeling.numbers import parse_id
from training import generation_requests, generators, showcase, viewers
from training.models import Model

__all__ = ["showcase", "urlpatterns"]  # which tells the first page what models drew

MODELS_MAX = 40  # to choose from


@never_cache
def studio(request: HttpRequest) -> HttpResponse:
    """Show the form; the samples come by the API."""
    visible = viewers.models(request, request.user)
    models = list(visible.filter(pk__in=generators.accepted().order_by().values("pk"))[:MODELS_MAX])
    chosen = _chosen(request, models, visible)
    if chosen and chosen not in models:
        models.append(chosen)
    context = {
        "models": [_for_page(model) for model in models],
        "model": chosen,
        "project": chosen.project if chosen else None,
        "may_ask": chosen is not None and _may_ask(request, chosen),
        "train_at": _project_to_train(request),
        "limits": generation_requests,
    }
    return render(request, "studio.html", context)


def _chosen(request: HttpRequest, models: list[Model], visible: QuerySet[Model]) -> Model | None:
    """Return the model of `?model=3`, if it may be seen, that of `?project=demo`, or the first."""
    number = parse_id(request.GET.get("model", ""))
    if model := visible.filter(pk=number).first():
        return model
    slug = request.GET.get("project")
    return next((m for m in models if m.project.slug == slug), models[0] if models else None)


def _may_ask(request: HttpRequest, model: Model) -> bool:
    may_train = access.may(request.user, model.project, Capability.TRAIN)
    return may_train and generators.is_accepted(model)


def _project_to_train(request: HttpRequest) -> Project | None:
    """Return a project in which somebody may train the first model."""
    projects = access.projects(request.user)[:MODELS_MAX]
    may_train = (p for p in projects if access.may(request.user, p, Capability.TRAIN))
    return next(may_train, None)


def _for_page(model: Model) -> dict[str, Any]:
    """Return what the page's script knows of a model."""
    inpaints = generators.inpaints(model.recipe)
    snapshot = model.run.snapshot
    return {
        "id": model.pk,
        "name": _("%(recipe)s no. %(number)s") % {"recipe": model.recipe, "number": model.pk},
        "current": model.current,
        "project": model.project.name,
        "training_images": snapshot.counts.get("train") if snapshot else None,
        "suggestions": model.suggestions,
        "inpaints": inpaints,
        "examples": len(generators.examples(model)) if inpaints else 0,
    }


urlpatterns = [path("draw/", studio, name="draw")]
