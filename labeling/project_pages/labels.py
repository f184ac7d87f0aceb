"""The wall: a project's questions as pictures, those that people disagree on first."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET

from labeling import svg
from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base, review_queue, stats

SECTION = base.register(base.Section("project-labels", "Labels", 40))


@require_GET
@base.page(Capability.VIEW)
def wall(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how far the project is, and its questions a page at a time."""
    filters = review_queue.Filters(request.GET, project=project)
    position = filters.cleaned_data.get("after")
    questions = review_queue.after(
        filters.questions().select_related("concept", "tile"), position, review_queue.PAGE + 1
    )
    page = questions[: review_queue.PAGE]
    more = review_queue.Position.of(page[-1]) if len(questions) > review_queue.PAGE else None
    context = {
        "progress": stats.progress(project),
        "filters": filters,
        "query": filters.query,
        "tiles": [(question, svg.probability_bar(question)) for question in page],
        "more": more,
        "first_page": position is None,
    }
    return base.render(request, project, "project/labels.html", context, section=SECTION)


urlpatterns = [path("labels/", wall, name="project-labels")]
