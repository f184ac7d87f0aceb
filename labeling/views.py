"""The pages that people take part on; what happens on them goes through the API."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView, TemplateView

from labeling import project_stats
from labeling.models import Challenge, Project


def home(request: HttpRequest) -> HttpResponse:
    """Say what the answers are for, and lead to the first challenge."""
    projects = Project.objects.public()
    progress = [(project, project_stats.progress(project)) for project in projects]
    return render(request, "home.html", {"projects": progress})


def take_part(request: HttpRequest) -> HttpResponse:
    """Go to the only project's challenges, or to the choice between several."""
    projects = Project.objects.public()[:2]
    if len(projects) == 1:
        return redirect("take_part", project=projects[0].slug)
    return redirect("/#projects")


@never_cache
def challenge(request: HttpRequest, project: str) -> HttpResponse:
    """Show the challenge screen; `?kind=` keeps to one kind of challenge."""
    kind = request.GET.get("kind", "")
    context = {
        "project": get_object_or_404(Project, slug=project),
        "kind": kind if kind in Challenge.Kind.values else "",
    }
    return render(request, "take_part.html", context)


class Favicon(RedirectView):
    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("pages/img/favicon.svg")


urlpatterns = [
    path("", home, name="home"),
    path("take-part/", take_part, name="take_part"),
    path("take-part/<slug:project>/", challenge, name="take_part"),
    path("favicon.ico", Favicon.as_view()),
    path(
        "robots.txt",
        TemplateView.as_view(template_name="robots.txt", content_type="text/plain"),
    ),
]
