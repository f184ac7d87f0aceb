"""The pages that people take part on; what happens on them goes through the API."""

from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView, TemplateView

from labeling import progress
from labeling.models import Challenge, Project

SUMMARY_SECONDS = 30  # for which the figures of the first page are kept


def home(request: HttpRequest) -> HttpResponse:
    """What the answers are for, and the way to the first challenge."""
    shown = [(project, _summary(project)) for project in Project.objects.filter(active=True)]
    return render(request, "home.html", {"shown": shown})


def take_part(request: HttpRequest) -> HttpResponse:
    """The only project's challenges, or the choice between several."""
    projects = Project.objects.filter(active=True)[:2]
    if len(projects) == 1:
        return redirect("take_part", project=projects[0].slug)
    return redirect("/#projects")


@never_cache
def challenge(request: HttpRequest, project: str) -> HttpResponse:
    """The screen that asks; `?kind=` keeps to one kind of challenge."""
    asked = request.GET.get("kind", "")
    context = {
        "project": get_object_or_404(Project, slug=project),
        "kind": asked if asked in Challenge.Kind.values else "",
    }
    return render(request, "take_part.html", context)


def sign_up(request: HttpRequest) -> HttpResponse:
    """A name and a password, nothing else."""
    form: UserCreationForm[User] = UserCreationForm(request.POST or None)
    if form.is_valid():
        login(request, form.save())
        return redirect("home")
    return render(request, "sign_up.html", {"form": form})


def _summary(project: Project) -> progress.Progress:
    """Counted now and then: it takes a while where there are many questions."""
    key = f"pages-summary-{project.pk}"
    kept: progress.Progress | None = cache.get(key)
    summary = kept or progress.measure(project=project)
    if not kept:
        cache.set(key, summary, SUMMARY_SECONDS)
    return summary


class Favicon(RedirectView):
    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("pages/img/favicon.svg")


urlpatterns = [
    path("", home, name="home"),
    path("take-part/", take_part, name="take_part"),
    path("take-part/<slug:project>/", challenge, name="take_part"),
    path("sign-up/", sign_up, name="sign_up"),
    path("favicon.ico", Favicon.as_view()),
    path(
        "robots.txt",
        TemplateView.as_view(template_name="robots.txt", content_type="text/plain"),
    ),
]
