"""The page on which a member starts runs, with what they would learn from and how long it takes."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods

from labeling.access import Capability
from labeling.models import Project, Snapshot
from labeling.numbers import parse_id
from labeling.project_pages import base
from training import outlook, runs, tasks
from training.models import Run
from training.outlook import Outlook
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
    context = {"form": form, "warned": "anyway" in form.errors}
    context["outlook"] = _outlook(form)
    return base.render(request, project, "project/train.html", context, section=SECTION)


@require_GET
@base.page(Capability.TRAIN)
def show_outlook(request: HttpRequest, project: Project) -> HttpResponse:
    """Return, as a fragment of the page, what the chosen runs would learn from and take."""
    form = TrainForm(request.GET, project=project)
    form.is_valid()
    return render(request, "project/train_outlook.html", {"outlook": _outlook(form)})


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


def _outlook(form: TrainForm) -> Outlook:
    """Return what is known of the runs that a form asks for, or would if it was sent now."""
    data = form.cleaned_data if form.is_bound and hasattr(form, "cleaned_data") else {}
    recipes, _, preset = str(data.get("recipe_and_preset") or form.initial_preset).partition("/")
    snapshot = data["source"].get("snapshot") if "source" in data else _initial_snapshot(form)
    return outlook.of(
        project=form.project,
        recipes=recipes.split(","),
        preset=preset,
        snapshot=snapshot,
        options=data.get("options"),
    )


def _initial_snapshot(form: TrainForm) -> Snapshot | None:
    number = parse_id(str(form["source"].value()))
    return Snapshot.objects.filter(pk=number, project=form.project).first()


def _initial(request: HttpRequest) -> dict[str, str]:
    """Choose by the address: `?snapshot=3`, `?preset=gan/cpu`."""
    initial = {"source": request.GET.get("snapshot") or NOW}
    if (preset := request.GET.get("preset")) in train_form.presets():
        initial["recipe_and_preset"] = str(preset)
    return initial


urlpatterns = [
    path("train/", train, name="project-train"),
    path("train/outlook/", show_outlook, name="project-train-outlook"),
]
