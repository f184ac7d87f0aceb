"""The page that draws from a prompt, and from none."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache

from training import drawing, feedback
from training.models import Model


@never_cache
def draw(request: HttpRequest) -> HttpResponse:
    """Prompt, number, seed and guidance; the pictures come by the API."""
    models = list(
        Model.objects.filter(recipe="diffusion", current=True)
        .select_related("project", "run__snapshot")
        .order_by("project__name")
    )
    chosen = _chosen(request, models)
    context = {
        "models": models,
        "model": chosen,
        "project": chosen.project if chosen else None,
        "learnt_from": _learnt_from(chosen) if chosen else None,
        "suggestions": feedback.best_known(chosen.project) if chosen else [],
        "may_ask": request.user.is_staff and request.user.has_perm("labeling.add_question"),
        "limits": drawing,
    }
    return render(request, "draw.html", context)


def _chosen(request: HttpRequest, models: list[Model]) -> Model | None:
    """`?model=3`, be it current or not, or `?project=demo`; else the first."""
    number = request.GET.get("model", "")
    if number.isascii() and number.isdigit() and len(number) < 19:
        asked = Model.objects.filter(pk=int(number), recipe="diffusion")
        if found := asked.select_related("project", "run__snapshot").first():
            return found
    slug = request.GET.get("project")
    return next((m for m in models if m.project.slug == slug), models[0] if models else None)


def _learnt_from(model: Model) -> int | None:
    snapshot = model.run.snapshot
    return snapshot.counts.get("train") if snapshot else None


urlpatterns = [path("draw/", draw, name="draw")]
