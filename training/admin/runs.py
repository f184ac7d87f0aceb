"""Runs in the admin: a list that leads to their pages, and their deletion."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin.base import QuickAdmin
from training import run_summary, runs
from training.models import Run


@admin.register(Run)
class RunAdmin(QuickAdmin[Run]):
    """Runs of all projects; their project's pages are where they are started and watched."""

    list_display = [
        "page_link",
        "project",
        "preset",
        "state_and_progress",
        "loss_now",
        "requested",
        "duration",
    ]
    list_display_links = None
    list_filter = ["state", "recipe", "project", "trigger"]
    list_select_related = ["project"]
    search_fields = ["project__name", "recipe", "error"]
    actions = None

    class Media:
        css = {"all": ["staff/training.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        ended = obj is None or obj.state in runs.ENDED
        return ended and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Run) -> None:
        """Delete the run's folder, and the model in it, with its row."""
        runs.delete(run=obj, by=request.user)  # type: ignore[arg-type]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        """Lead to the run's page in its project."""
        run = self.get_object(request, object_id)
        if run is None or not self.has_view_permission(request, run):
            return super().change_view(request, object_id, form_url, extra_context)
        return redirect("project-run", run.project.slug, run.pk)

    @admin.display(description="run", ordering="pk")
    def page_link(self, run: Run) -> SafeString:
        """Link to the run's page in its project."""
        address = reverse("project-run", args=[run.project.slug, run.pk])
        return format_html('<a href="{}">{}</a>', address, run)

    @admin.display(description="state")
    def state_and_progress(self, run: Run) -> SafeString:
        """Show the state, with a bar while it runs."""
        fraction = run_summary.fraction(run)
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
        return run_summary.duration(run) or "–"
