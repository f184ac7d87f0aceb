"""Runs in the admin: start, watch, cancel, resume, compare."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin.base import QuickAdmin
from training import generators, runs, tasks
from training.admin import metrics, run_page, verdicts
from training.admin.forms import TrainForm
from training.engine import progress
from training.models import Run

REPORT = "report.html"
SANDBOX = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@admin.register(Run)
class RunAdmin(QuickAdmin[Run]):
    """Runs to start, watch, cancel and resume; workers write their rows."""

    list_display = [
        "__str__",
        "project",
        "preset",
        "state_and_progress",
        "loss_now",
        "requested",
        "duration",
    ]
    list_filter = ["state", "recipe", "project", "trigger"]
    list_select_related = ["project"]
    search_fields = ["project__name", "recipe", "error"]
    actions = None

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/live/", view(self.live), name="training_run_live"),
            path("<int:pk>/samples/<str:name>", view(self.sample), name="training_run_sample"),
            path("<int:pk>/log/", view(self.log), name="training_run_log"),
            path("<int:pk>/report/", view(self.report), name="training_run_report"),
            path("<int:pk>/cancel/", view(self.cancel), name="training_run_cancel"),
            path("<int:pk>/resume/", view(self.resume), name="training_run_resume"),
            *super().get_urls(),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        ended = obj is None or obj.state in runs.ENDED
        return ended and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Run) -> None:
        """Delete the run's folder, and the model in it, with its row."""
        super().delete_model(request, obj)
        folder = Path(obj.folder)
        if obj.folder and Path(settings.RUN_ROOT) in folder.parents:
            shutil.rmtree(folder, ignore_errors=True)

    @admin.display(description="state")
    def state_and_progress(self, run: Run) -> SafeString:
        """Show the state, with a bar while it runs."""
        fraction = run_page.fraction(run)
        bar = (
            format_html('<progress class="run-bar" max="1" value="{}"></progress>', fraction)
            if run.state == Run.State.RUNNING and fraction is not None
            else ""
        )
        return format_html(
            '<span class="run-state {}">{}</span> {}', run.state, run.get_state_display(), bar
        )

    @admin.display(description="loss", ordering="loss")
    def loss_now(self, run: Run) -> str:
        """Show the last loss."""
        return "–" if run.loss is None else f"{run.loss:.3f}"

    @admin.display(description="requested", ordering="created_at")
    def requested(self, run: Run) -> str:
        """Show when it was requested, to the minute."""
        return f"{run.created_at:%d %b %H:%M}"

    @admin.display(description="duration")
    def duration(self, run: Run) -> str:
        """Show how long it took, or has taken so far."""
        return run_page.duration(run) or "–"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form that starts runs; start them."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TrainForm(request.POST or None, initial=_initial(request))
        if request.method == "POST" and form.is_valid():
            return self._start(request, form)
        context = {
            **self.admin_site.each_context(request),
            "title": "Train",
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "admin/training/run/train.html", context)

    def _start(self, request: HttpRequest, form: TrainForm) -> HttpResponse:
        started = []
        by = request.user if request.user.is_authenticated else None
        for run_request in form.requests(by):
            try:
                run = tasks.start_run(**run_request)
            except runs.RunError as error:
                self.message_user(request, str(error), messages.ERROR)
                break
            started.append(run)
        if not started:
            return redirect("admin:training_run_add")
        names = " and ".join(str(run) for run in started)
        self.message_user(request, f"Queued: {names}.", messages.SUCCESS)
        return redirect("admin:training_run_change", started[0].pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the run's page."""
        run = self.get_object(request, object_id)
        if run is None:
            self.message_user(request, "There is no such run.", messages.WARNING)
            return redirect("admin:training_run_changelist")
        self._check_view(request, run)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Run: {run}",
            "opts": self.opts,
            **_page_context(run, request),
            "may_train": self.has_add_permission(request),
            "has_delete_permission": self.has_delete_permission(request, run),
        }
        return TemplateResponse(request, "admin/training/run/page.html", context)

    def live(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return as JSON what changes while the run goes on."""
        return JsonResponse(
            run_page.live(self._run(request, pk)), headers={"Cache-Control": "no-store"}
        )

    def sample(self, request: HttpRequest, pk: int, name: str) -> FileResponse:
        """Return a sample grid of the run's folder."""
        run = self._run(request, pk)
        if not (run.folder and progress.SAMPLE.fullmatch(name)):
            raise Http404("There is no such picture.")
        return _file(Path(run.folder) / "samples" / name, "image/png")

    def log(self, request: HttpRequest, pk: int) -> FileResponse:
        """Return the whole log."""
        run = self._run(request, pk)
        if not run.folder:
            raise Http404("There is no log yet.")
        return _file(Path(run.folder) / "log.txt", "text/plain; charset=utf-8")

    def report(self, request: HttpRequest, pk: int) -> FileResponse:
        """Return the run's report, sandboxed: anyone may have written into the run's folder."""
        run = self._run(request, pk)
        if not run.folder:
            raise Http404("There is no report yet.")
        response = _file(Path(run.folder) / REPORT, "text/html; charset=utf-8")
        response["Content-Security-Policy"] = SANDBOX
        return response

    def cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Cancel a run."""
        return self._change_state(request, pk, runs.cancel, "It stops.")

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue an ended run again."""
        message = "It is queued and goes on where it stopped."
        return self._change_state(request, pk, tasks.resume_run, message)

    def _change_state(
        self, request: HttpRequest, pk: int, change: Callable[..., None], message: str
    ) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_add_permission(request):
            raise PermissionDenied
        run = self._run(request, pk)
        try:
            change(run=run)
        except runs.RunError as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.message_user(request, message, messages.SUCCESS)
        return redirect("admin:training_run_change", run.pk)

    def _run(self, request: HttpRequest, pk: int) -> Run:
        run = get_object_or_404(Run.objects.select_related("project", "snapshot"), pk=pk)
        self._check_view(request, run)
        return run

    def _check_view(self, request: HttpRequest, run: Run) -> None:
        if not self.has_view_permission(request, run):
            raise PermissionDenied


def _page_context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """Return what the page shows of the run, of its model, and of another beside it."""
    model, other = getattr(run, "model", None), run_page.compared(run)
    folder = Path(run.folder)
    prompts = progress.prompts(folder) if run.folder else []
    other_prompts = progress.prompts(Path(other.run.folder)) if other and other.run.folder else []
    return {
        "run": run,
        "live": run_page.live(run),
        "generates": generators.generates(run.recipe),
        "options": run_page.options(run),
        "certainty": run_page.certainty(run.snapshot.folder) if run.snapshot else "",
        "model": model,
        "verdict": verdicts.context(model, request.user) if model else None,
        "has_report": bool(run.folder) and (folder / REPORT).is_file(),
        "other": other,
        "other_samples": run_page.sample_urls(other.run)[:1] if other else [],
        "metrics": metrics.rows(run.metrics, other.run.metrics if other else {}),
        "prompts": prompts,
        "other_prompts": other_prompts if other_prompts != prompts else [],
        "error": run.error.partition("\n\n")[0],
    }


def _initial(request: HttpRequest) -> dict[str, str]:
    """Choose what to train on by `?project=1` or `?snapshot=3`."""
    for kind in ("snapshot", "project"):
        if number := request.GET.get(kind):
            return {"source": f"{kind}:{number}"}
    return {}


def _file(file: Path, kind: str) -> FileResponse:
    try:
        return FileResponse(file.open("rb"), content_type=kind)
    except OSError:
        raise Http404("The file has gone.") from None
