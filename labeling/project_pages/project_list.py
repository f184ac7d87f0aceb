"""Everybody's own projects, with what waits in each, and the way to make a new one."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache

from labeling import access, project_stats
from labeling.models import Membership, Project
from labeling.project_pages import loop

PAGE = 12  # projects on a page: each is measured


@never_cache
@login_required
def projects(request: HttpRequest) -> HttpResponse:
    """List the projects whose pages somebody may see; archived ones are folded away."""
    rows = access.projects(request.user)
    alive = rows.exclude(state=Project.State.ARCHIVED).order_by("-created_at", "-id")
    page = Paginator(alive, PAGE).get_page(request.GET.get("page"))
    roles = dict(Membership.objects.filter(user=request.user.pk).values_list("project", "role"))
    context = {
        "page": page,
        "cards": [_card(request, project, roles.get(project.pk, "")) for project in page],
        "archived": rows.filter(state=Project.State.ARCHIVED),
        "may_create": access.may_create(request.user),
    }
    return render(request, "project/list.html", context)


def _card(request: HttpRequest, project: Project, role: str) -> dict[str, object]:
    capabilities = access.capabilities(request.user, project)
    return {
        "project": project,
        "role": role,
        "progress": project_stats.progress(project),
        "next": loop.next_action(loop.steps(project), capabilities),
    }


urlpatterns = [path("", projects, name="projects")]
