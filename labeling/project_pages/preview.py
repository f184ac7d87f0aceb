"""The first challenge as a visitor sees it, before the project is published."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from labeling import access, project_stats, projects, taking_part
from labeling.access import Capability
from labeling.images import visible
from labeling.models import Challenge, Project
from labeling.project_pages import base


@base.page(Capability.VIEW)
def preview(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the challenge screen with the visitors' own scripts; nothing is kept of it."""
    manages = access.may(request.user, project, Capability.MANAGE)
    if refusal := projects.nothing_to_ask(project):
        has_pictures = project.images.filter(visible(), generated=False).exists()
        page = "project-concepts" if has_pictures else "project-pictures"
        context = {
            "refusal": refusal,
            "manages": manages,
            "remedy": reverse(page, args=[project.slug]),
            "remedy_text": "Choose concepts" if has_pictures else "Add pictures",
        }
        return base.render(request, project, "project/nothing_to_preview.html", context)
    kind = request.GET.get("kind", "")
    context = {
        "project": project,
        "kind": kind if kind in Challenge.Kind.values else "",
        "preview": reverse("api-project-preview", args=[project.slug]),
        "kinds": taking_part.kinds(project),
        "text_questions": project_stats.texts(project).is_enough,
        "may_publish": manages and project.state == Project.State.DRAFT,
    }
    return render(request, "take_part.html", context)


urlpatterns = [path("preview/", preview, name="project-preview")]
