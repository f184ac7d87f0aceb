"""The page on which a project's owner lands: the loop."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from labeling import access, label_accuracy, project_stats, quality, svg
from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base, loop, steps

__all__ = ["SECTION", "steps", "urlpatterns"]

SECTION = base.register(base.Section("project", "Overview", 0))


@base.page(Capability.VIEW)
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    """Show each step of the loop with its number, its trend and its next action."""
    allowed = access.capabilities(request.user, project)
    project_stats.follow_changes(project)
    rows = loop.steps(project)
    archived = project.state == Project.State.ARCHIVED
    context = {
        "may_answer": not project.private or Capability.ANNOTATE in allowed,
        "accuracy": _accuracy(project),
        "next": None if archived else loop.next_action(rows, allowed),
        "steps": [
            {
                "step": step,
                "sparkline": svg.sparkline(step.days) if any(step.days) else "",
                "actions": [each for each in step.actions if each.capability in allowed],
            }
            for step in rows
        ],
    }
    return base.render(request, project, "project/overview.html", context, section=SECTION)


def _accuracy(project: Project) -> str:
    """Return in words how often labels are right; empty where that is not known."""
    measured = quality.accuracy(project=project)
    if measured is None or measured["low"] is None:
        return ""
    return label_accuracy.sentence(measured)


urlpatterns = [path("", overview, name="project")]
