"""How far people agree, how often labels are right, and whom to look at."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET

from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base, labels, quality


@require_GET
@base.page(Capability.VIEW)
def agreement(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how far people agree, how often labels are right, and the history of both."""
    context = quality.of(project)
    return base.render(request, project, "project/agreement.html", context, section=labels.SECTION)


urlpatterns = [path("agreement/", agreement, name="project-agreement")]
