"""The page that shows two models' pictures side by side, of the same prompts and seeds."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_http_methods

from labeling import access
from labeling.access import Capability
from labeling.models import Project
from labeling.numbers import parse_id
from labeling.project_pages import base
from training import generators, run_folders, side_by_side, tasks, verdicts
from training.engine import progress
from training.generation_requests import GenerationError
from training.models import Model
from training.project_pages import metric_rows
from training.project_pages.models import SECTION
from training.project_pages.run import sample_urls
from training.side_by_side import Comparison

MODELS_MAX = 60  # to choose from
FIELDS = ("model", "other", "prompts", "seed", "count")


@require_http_methods(["GET", "HEAD", "POST"])
@base.page(Capability.VIEW)
def compare(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the pairs that are there; on POST, request those that are missing."""
    if request.method == "POST":
        if not access.may(request.user, project, Capability.TRAIN):
            raise PermissionDenied("Only those who train models have pictures drawn to compare.")
        return _draw(request, project)
    return _render(request, project, request.GET)


@require_GET
@base.page(Capability.VIEW)
def live(request: HttpRequest, project: Project) -> HttpResponse:
    """Return the pairs as JSON: what changes while they are drawn."""
    model, other = _pair(project, request.GET)
    if model is None or other is None:
        return JsonResponse({"error": "There are no such models."}, status=404)
    try:
        return JsonResponse(side_by_side.as_json(_comparison(model, other, request.GET)))
    except GenerationError as error:
        return JsonResponse({"error": str(error)}, status=400)


def _draw(request: HttpRequest, project: Project) -> HttpResponse:
    model, other = _pair(project, request.POST)
    if model is None or other is None:
        return _render(request, project, request.POST, refusal="Choose two models.", status=400)
    here = reverse("project-compare", args=[project.slug])
    if "show" in request.POST:
        return redirect(f"{here}?{_asked(request.POST)}")
    try:
        comparison = _comparison(model, other, request.POST)
        tasks.start_comparison(comparison=comparison, by=cast(User, request.user))
    except GenerationError as error:
        return _render(request, project, request.POST, refusal=str(error), status=400)
    return redirect(f"{here}?{_query(comparison)}")


def _render(
    request: HttpRequest,
    project: Project,
    asked: QueryDict,
    *,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    model, other = _pair(project, asked)
    context: dict[str, Any] = {
        "models": _choices(project),
        "model": model,
        "other": other,
        "refusal": refusal,
        "prompts": asked.get("prompts", ""),
        "seed": parse_id(asked.get("seed", "")),
        "count": _count(asked),
        "limits": side_by_side,
    }
    if model and other:
        context |= _side_by_side(model, other, asked)
    return base.render(
        request, project, "project/compare.html", context, section=SECTION, status=status
    )


def _side_by_side(model: Model, other: Model, asked: QueryDict) -> dict[str, Any]:
    """Return the pairs, the figures and the verdict of two models."""
    draw = generators.generates(model.recipe) and generators.generates(other.recipe)
    context: dict[str, Any] = {
        "draw": draw,
        "metrics": metric_rows.rows(model.run.metrics, other.run.metrics),
        "sentence": _sentence(model, other),
        "grids": _grids(model, other),
        "gone": [each for each in (model, other) if each.lacks_files],
    }
    if not draw:
        return context
    prompts = asked.get("prompts") or "\n".join(side_by_side.default_prompts(model, other))
    context["prompts"] = prompts
    try:
        comparison = _comparison(model, other, asked)
    except GenerationError as error:
        return context | {"refusal": str(error) if asked.get("prompts") else ""}
    return context | {
        "pairs": side_by_side.as_json(comparison),
        "query": _query(comparison),
        "live": reverse("project-compare-live", args=[model.project.slug]),
    }


def _grids(model: Model, other: Model) -> list[tuple[Model, str]]:
    """Return the last grid of either run, where both were watched by the same prompts."""
    prompts = [_watched(each) for each in (model, other)]
    urls = [sample_urls(each.run) for each in (model, other)]
    if prompts[0] != prompts[1] or not all([*prompts, *urls]):
        return []
    return [(each, of_run[0]["url"]) for each, of_run in zip((model, other), urls, strict=True)]


def _watched(model: Model) -> list[str]:
    """Return the prompts of the grids of a model's run."""
    folder = run_folders.local(model.run, "prompts.json")
    return progress.prompts(folder) if folder else []


def _sentence(model: Model, other: Model) -> str:
    """Return the verdict on one of the two, where it was compared with the other."""
    for each, baseline in ((model, other), (other, model)):
        if (each.verdict or {}).get("baseline") == baseline.pk:
            return f"{each}: {verdicts.sentence(each)}"
    return ""


def _pair(project: Project, asked: QueryDict) -> tuple[Model | None, Model | None]:
    """Return the models that are asked for; else the newest candidate and the current model."""
    number, other_number = (parse_id(asked.get(name, "")) for name in ("model", "other"))
    model, other = side_by_side.pair(project, number, other_number)
    if model is None or other is None:
        return side_by_side.pair(project)
    return model, other


def _choices(project: Project) -> list[tuple[int, str]]:
    models = Model.objects.filter(project=project).prefetch_related("promotions")[:MODELS_MAX]
    return [(model.pk, f"{model}, {verdicts.standing(model)}") for model in models]


def _comparison(model: Model, other: Model, asked: QueryDict) -> Comparison:
    prompts = asked.get("prompts", "").splitlines() or side_by_side.default_prompts(model, other)
    seed = parse_id(asked.get("seed", ""))
    return side_by_side.of(model, other, prompts=prompts, seed=seed, count=_count(asked))


def _count(asked: QueryDict) -> int:
    text = asked.get("count", "")
    return parse_id(text) if text else side_by_side.COUNT


def _asked(form: QueryDict) -> str:
    """Return what a form asks for as a query, without its token."""
    query = QueryDict(mutable=True)
    query.update({name: form.get(name, "") for name in FIELDS if name in form})
    return query.urlencode()


def _query(comparison: Comparison) -> str:
    query = QueryDict(mutable=True)
    query.update(
        {
            "model": str(comparison.model.pk),
            "other": str(comparison.other.pk),
            "prompts": "\n".join(comparison.prompts),
            "seed": str(comparison.seed),
            "count": str(comparison.count),
        }
    )
    return query.urlencode()


urlpatterns = [
    path("compare/", compare, name="project-compare"),
    path("compare/live/", live, name="project-compare-live"),
]
