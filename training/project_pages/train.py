"""The page on which a member starts runs, with what they would learn from and how long it takes."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods

from labeling.access import Capability
from labeling.models import Project, Snapshot
from labeling.project_pages import base
from training import estimates, lookup, readiness, runs, tasks
from training.engine.presets import SMOKE
from training.models import Run
from training.project_pages import train_form
from training.project_pages.models import SECTION
from training.project_pages.train_form import NOW, TrainForm


@require_http_methods(["GET", "HEAD", "POST"])
@base.page(Capability.TRAIN)
def train(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the form that starts runs; start them."""
    bound = request.method == "POST"
    form = TrainForm(request.POST if bound else None, project=project, initial=_initial(request))
    if bound and form.is_valid() and (started := _start(request, form)):
        names = " and ".join(str(run) for run in started)
        messages.success(request, f"Queued: {names}.")
        return redirect("project-run", project.slug, started[0].pk)
    context = {"form": form, "warned": "anyway" in form.errors, **_outlook(form)}
    return base.render(request, project, "project/train.html", context, section=SECTION)


@require_GET
@base.page(Capability.TRAIN)
def outlook(request: HttpRequest, project: Project) -> HttpResponse:
    """Return, as a fragment of the page, what the chosen runs would learn from and take."""
    form = TrainForm(request.GET, project=project)
    form.is_valid()
    return render(request, "project/train_outlook.html", _outlook(form))


def _start(request: HttpRequest, form: TrainForm) -> list[Run]:
    """Queue the runs; say why where one cannot be."""
    started = []
    for run_request in form.requests(cast(User, request.user)):
        try:
            started.append(tasks.start_run(**run_request))
        except runs.RunError as error:
            if started:
                messages.error(request, str(error))
            else:
                form.add_error(None, str(error))
            break
    return started


def _outlook(form: TrainForm) -> dict[str, Any]:
    """Return what is known of the runs that a form asks for, or would if it was sent now."""
    data = form.cleaned_data if form.is_bound and hasattr(form, "cleaned_data") else {}
    chosen = str(data.get("recipe_and_preset") or form.initial_preset)
    recipes, _, preset = chosen.partition("/")
    snapshot = data["source"].get("snapshot") if "source" in data else _initial_snapshot(form)
    options = data.get("options") or {}
    takes = [
        estimates.of_request(
            recipe=recipe,
            preset=preset,
            project=form.project,
            snapshot=snapshot,
            options=options if recipe == recipes.split(",")[-1] else {},
        )
        for recipe in recipes.split(",")
    ]
    known = readiness.of_snapshot(snapshot) if snapshot else readiness.of_project(form.project)
    before, wait = estimates.ahead(Run(project=form.project, trigger=Run.Trigger.PAGE))
    return {
        "numbers": known.numbers,
        "warning": readiness.warning(known, recipes.split(",")[-1]) if preset != SMOKE else "",
        "takes": sum(takes[1:], takes[0]).words,
        "basis": min(takes, key=lambda each: each.runs).basis,
        "before": before,
        "wait": wait,
        "trial": preset == SMOKE,
    }


def _initial_snapshot(form: TrainForm) -> Snapshot | None:
    number = lookup.parse_id(str(form["source"].value()))
    return Snapshot.objects.filter(pk=number, project=form.project).first()


def _initial(request: HttpRequest) -> dict[str, str]:
    """Choose by the address: `?snapshot=3`, `?preset=gan/cpu`."""
    initial = {"source": request.GET.get("snapshot") or NOW}
    if (preset := request.GET.get("preset")) in train_form.presets():
        initial["recipe_and_preset"] = str(preset)
    return initial


urlpatterns = [
    path("train/", train, name="project-train"),
    path("train/outlook/", outlook, name="project-train-outlook"),
]
