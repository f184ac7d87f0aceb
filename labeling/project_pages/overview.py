"""The page on which a project's owner lands: the loop."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base, loop

SECTION = base.register(base.Section("project", "Overview", 0))


@base.page(Capability.VIEW)
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    """Show each step of the loop with its number, its trend and its next action."""
    context = {"steps": loop.steps(project)}
    return base.render(request, project, "project/overview.html", context, section=SECTION)


urlpatterns = [path("", overview, name="project")]
