"""The page of a project's models: the current ones, what waits, and all runs."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.views.decorators.http import require_GET

from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base
from training import generators, project_state, run_summary, verdicts, zero_shot
from training.engine.presets import RECIPES, SMOKE
from training.models import Model, Run, Sample

SECTION = base.register(base.Section("project-models", "Models", 50))
RUNS_A_PAGE = 25
DRAWN = 4  # samples of a model


@require_GET
@base.page(Capability.VIEW)
def models(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the current model of each recipe, what waits for somebody, and the runs."""
    history = Run.objects.filter(project=project).select_related("model", "requested_by")
    current = project_state.current_models(project)
    candidates = project_state.waiting_models(project)
    context = {
        "current": [_card(model) for model in current],
        "candidates": [_card(model) for model in candidates],
        "unfinished": [_unfinished(run) for run in project_state.unfinished_runs(project)],
        "new_labels": project_state.new_labels(project),
        "retraining": project_state.retraining_state(project),
        "comparable": _comparable(project),
        "runs": Paginator(history, RUNS_A_PAGE).get_page(request.GET.get("page")),
        "trained": history.exists(),
        "zero_shot": zero_shot.predicts(project),
    }
    return base.render(request, project, "project/models.html", context, section=SECTION)


@require_GET
@base.page(Capability.VIEW, cacheable=True)
def sample(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Send a picture that one of the project's models drew."""
    row = get_object_or_404(Sample, pk=pk, generation__model__project=project)
    try:
        with row.file.open("rb") as file:
            response = HttpResponse(file.read(), content_type="image/png")
    except OSError:
        raise Http404("The picture has gone.") from None
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response


def _card(model: Model) -> dict[str, Any]:
    """Return what the list shows of a model."""
    return {
        "model": model,
        "about": RECIPES.get(model.recipe, ""),
        "standing": verdicts.standing(model),
        "sentence": verdicts.sentence(model),
        "draws": generators.draws(model.recipe),
        "trial": model.run.preset == SMOKE,
        "samples": samples(model, DRAWN),
    }


def samples(model: Model, count: int) -> list[Sample]:
    """Return a model's newest samples that were drawn from prompts, with their generations.

    Drafts are not among them: what somebody typed on the way is theirs, and soon gone.
    Of a model of pairs, those that were drawn on pictures of people who are signed in: what a
    visitor's picture shows is nobody else's concern.
    """
    drawn = Sample.objects.filter(generation__model=model, generation__draft=False)
    if generators.translates(model.recipe):
        drawn = drawn.filter(generation__visitor="")
    else:
        drawn = drawn.exclude(generation__prompt="")
    return list(drawn.select_related("generation").order_by("-pk")[:count])


def _unfinished(run: Run) -> dict[str, Any]:
    return {
        "run": run,
        "headline": run_summary.headline(run),
        "details": run_summary.details(run),
        "fraction": run_summary.fraction(run) if run.state == Run.State.RUNNING else None,
    }


def _comparable(project: Project) -> bool:
    return Model.objects.filter(project=project).count() > 1


urlpatterns = [
    path("models/", models, name="project-models"),
    path("samples/<int:pk>/", sample, name="project-sample"),
]
