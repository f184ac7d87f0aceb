"""The page of a run: how it goes, its curve, its pictures over time, its log, its end."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import access
from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base
from training import (
    generators,
    processes,
    run_folders,
    run_summary,
    runs,
    server_paths,
    tasks,
    verdicts,
)
from training.engine import progress
from training.models import Run
from training.project_pages.models import SECTION

LOG_LINES = 30
REPORT = "report.html"
SANDBOX = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@require_GET
@base.page(Capability.VIEW)
def run(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show the run."""
    row = _get_run(project, pk)
    context = _context(row, request.user)
    return base.render(request, project, "project/run.html", context, section=SECTION)


@require_GET
@base.page(Capability.VIEW)
def live(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Return as JSON what changes while the run goes on."""
    return JsonResponse(_live(_get_run(project, pk), request.user))


@require_GET
@base.page(Capability.VIEW)
def sample(request: HttpRequest, project: Project, pk: int, name: str) -> HttpResponse:
    """Return a sample grid of the run's folder."""
    row = _get_run(project, pk)
    if not progress.SAMPLE.fullmatch(name):
        raise Http404("There is no such picture.")
    return _file(row, f"{run_folders.SAMPLES}/{name}", "image/png")


@require_GET
@base.page(Capability.VIEW)
def log(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Return the whole log."""
    row = _get_run(project, pk)
    response = _file(row, "log.txt", "text/plain; charset=utf-8")
    text = response.content.decode("utf-8", "replace")
    response.content = server_paths.as_shown_to(request.user, text).encode()
    return response


@require_GET
@base.page(Capability.VIEW)
def report(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Return the run's report, sandboxed: anyone may have written into the run's folder."""
    row = _get_run(project, pk)
    response = _file(row, REPORT, "text/html; charset=utf-8")
    response["Content-Security-Policy"] = SANDBOX
    return response


@require_POST
@base.page(Capability.TRAIN)
def cancel(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Cancel a run."""
    return _change_state(request, project, pk, runs.cancel, "It stops.")


@require_POST
@base.page(Capability.TRAIN)
def resume(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Queue an ended run again."""
    message = "It is queued and goes on where it stopped."
    return _change_state(request, project, pk, tasks.resume_run, message)


@require_POST
@base.page(Capability.TRAIN)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete an ended run, its folder and its model."""
    row = _get_run(project, pk)
    name = str(row)
    try:
        runs.delete(run=row, by=cast(User, request.user))
    except runs.RunError as error:
        messages.error(request, str(error))
        return redirect("project-run", project.slug, pk)
    messages.success(request, f"Deleted: {name}, with its model.")
    return redirect("project-models", project.slug)


def sample_urls(run: Run) -> list[dict[str, Any]]:
    """Return step and address of each sample grid, newest first."""
    slug = run.project.slug
    return [
        {
            "step": int(name.removesuffix(".png")),
            "url": reverse("project-run-sample", args=[slug, run.pk, name]),
        }
        for name in reversed(run_folders.grids(run))
    ]


def _get_run(project: Project, pk: int) -> Run:
    related = ("project", "snapshot", "clip", "start", "requested_by", "model")
    return get_object_or_404(Run.objects.select_related(*related), pk=pk, project=project)


def _change_state(
    request: HttpRequest, project: Project, pk: int, change: Callable[..., None], message: str
) -> HttpResponse:
    row = _get_run(project, pk)
    try:
        change(run=row, by=request.user)
    except runs.RunError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, message)
    return redirect("project-run", project.slug, pk)


def _live(run: Run, user: access.User) -> dict[str, Any]:
    """Return what changes while a run goes on."""
    folder = run_folders.local(run, "log.txt", "progress.jsonl")
    log = processes.tail(folder / "log.txt", lines=LOG_LINES) if folder else ""
    return {
        "state": run.state,
        "ended": run.state in runs.ENDED,
        "version": run_summary.version(run),
        "final": run_summary.final(run),
        "headline": run_summary.headline(run),
        "details": run_summary.details(run),
        "fraction": run_summary.fraction(run),
        "curve": progress.curve(folder) if folder else [],
        "samples": sample_urls(run),
        "log": server_paths.as_shown_to(user, log),
    }


def _context(run: Run, user: access.User) -> dict[str, Any]:
    """Return what the page shows of the run and, in a sentence, of its model."""
    model = getattr(run, "model", None)
    folder = run_folders.local(run, "prompts.json", REPORT)
    return {
        "run": run,
        "live": _live(run, user),
        "generates": generators.generates(run.recipe),
        "translates": generators.translates(run.recipe),
        "options": run_summary.options(run),
        "drawings": run_summary.verdicts_on_drawings(run),
        "certainty": run_summary.certainty(run.snapshot) if run.snapshot else "",
        "model": model,
        "standing": verdicts.standing(model) if model else "",
        "sentence": verdicts.sentence(model) if model else "",
        "has_report": folder is not None and (folder / REPORT).is_file(),
        "prompts": progress.prompts(folder) if folder else [],
        "delay": server_paths.as_shown_to(user, run.delay_reason),
        "error": server_paths.as_shown_to(user, run.error.partition("\n\n")[0]),
    }


def _file(run: Run, name: str, kind: str) -> HttpResponse:
    content = run_folders.read(run, name)
    if content is None:
        raise Http404("The run has no such file.")
    return HttpResponse(content, content_type=kind)


urlpatterns = [
    path("runs/<int:pk>/", run, name="project-run"),
    path("runs/<int:pk>/live/", live, name="project-run-live"),
    path("runs/<int:pk>/samples/<str:name>", sample, name="project-run-sample"),
    path("runs/<int:pk>/log/", log, name="project-run-log"),
    path("runs/<int:pk>/report/", report, name="project-run-report"),
    path("runs/<int:pk>/cancel/", cancel, name="project-run-cancel"),
    path("runs/<int:pk>/resume/", resume, name="project-run-resume"),
    path("runs/<int:pk>/delete/", delete, name="project-run-delete"),
]
