"""The studio: the page on which anyone has a model generate samples."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labeling import access
from labeling.access import Capability
from labeling.models import Project
from labeling.numbers import parse_id
from training import examples, generation_requests, generators, showcase, viewers
from training.api.studio_form import FormGenerations
from training.generation_requests import FROM_IMAGE, UNFINISHED
from training.models import Generation, Model

__all__ = ["showcase", "urlpatterns"]  # which tells the first page what models drew

MODELS_MAX = 40  # to choose from

request_generation = FormGenerations.as_view()


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def studio(request: HttpRequest) -> HttpResponse:
    """Show the form; the samples come by the API, or on this page where there is no JavaScript."""
    if request.method != "POST":
        return _render(request)
    response = request_generation(request)
    if response.status_code == 201:
        query = urlencode({"model": response.data["model"], "drawing": response.data["id"]})
        return redirect(f"{reverse('draw')}?{query}")
    return _render(request, refusal=str(response.data["detail"]), status=response.status_code)


def _render(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    visible = viewers.models(request, request.user)
    accepted = visible.filter(pk__in=generators.accepted().order_by().values("pk"))
    models = list(accepted[:MODELS_MAX]) or list(visible[:MODELS_MAX])  # of members' own projects
    chosen = _chosen(request, models, visible)
    if chosen and chosen not in models:
        models.append(chosen)
    drawing = _drawing(request)
    context = {
        "models": [_for_page(model) for model in models],
        "model": chosen,
        "project": chosen.project if chosen else None,
        "may_ask": chosen is not None and _may_ask(request, chosen),
        "train_at": _project_to_train(request),
        "limits": generation_requests,
        "form": _form(request, chosen) if chosen else None,
        "drawing": drawing,
        "unfinished": drawing is not None and drawing.state in UNFINISHED,
        "refusal": refusal,
    }
    return render(request, "studio.html", context, status=status)


def _chosen(request: HttpRequest, models: list[Model], visible: QuerySet[Model]) -> Model | None:
    """Return the model of `?model=3`, if it may be seen, that of `?project=demo`, or the first."""
    number = parse_id(request.POST.get("model", "") or request.GET.get("model", ""))
    if model := visible.filter(pk=number).first():
        return model
    slug = request.GET.get("project")
    return next((m for m in models if m.project.slug == slug), models[0] if models else None)


def _drawing(request: HttpRequest) -> Generation | None:
    """Return the generation of `?drawing=…`, if it may be seen."""
    try:
        pk = UUID(request.GET.get("drawing", ""))
    except ValueError:
        return None
    return viewers.generations(request, request.user).filter(pk=pk).first()


def _form(request: HttpRequest, model: Model) -> dict[str, Any]:
    """Return what the form shows before a script changes it."""
    kinds = generators.kinds(model.recipe)
    kind = request.POST.get("kind", "") or request.GET.get("kind", "")
    sources = len(examples.names(model)) if set(kinds) & set(FROM_IMAGE) else 0
    return {
        "kinds": kinds,
        "kind": kind if kind in kinds else kinds[0],
        "sources": range(1, sources + 1),
        "prompt": request.POST.get("prompt", ""),
    }


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
    kinds = generators.kinds(model.recipe)
    counts = model.run.snapshot.counts if model.run.snapshot else {}
    translates = generators.translates(model.recipe)
    return {
        "id": model.pk,
        "name": _("%(recipe)s no. %(number)s") % {"recipe": model.recipe, "number": model.pk},
        "current": model.current,
        "project": model.project.name,
        "training_images": counts.get("train"),
        "suggestions": [] if translates else model.suggestions,
        "drafts": generators.draws_in_one_call(model),
        "kinds": kinds,
        "examples": len(examples.names(model)) if set(kinds) & set(FROM_IMAGE) else 0,
    }


urlpatterns = [path("draw/", studio, name="draw")]
