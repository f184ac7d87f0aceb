"""The pages that people take part on; what happens on them goes through the API."""

from http import HTTPStatus

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView, TemplateView

from labeling import access, challenges, project_stats, projects, visitors
from labeling.access import Capability
from labeling.accounts import set_up
from labeling.models import Challenge, Membership, Project


def home(request: HttpRequest) -> HttpResponse:
    """Say what the answers are for, and lead to the first challenge; at first, to the set-up."""
    asking = list(_asking(request))
    if not asking and set_up.is_needed():
        return redirect("set_up")
    progress = [(project, project_stats.progress(project)) for project in asking]
    return render(request, "home.html", {"projects": progress})


def take_part(request: HttpRequest) -> HttpResponse:
    """Go to the only project's challenges, or to the choice between several."""
    asking = _asking(request)[:2]
    if len(asking) == 1:
        return redirect("take_part", project=asking[0].slug)
    return redirect("/#projects")


@never_cache
def challenge(request: HttpRequest, project: str) -> HttpResponse:
    """Show the challenge screen; `?kind=` keeps to one kind of challenge."""
    row = get_object_or_404(Project, slug=project)
    try:
        challenges.admit(
            project=row, user=request.user, annotator=visitors.known(request, request.user)
        )
    except (challenges.Closed, challenges.Private) as refusal:
        return _turned_away(request, row, refusal)
    kind = request.GET.get("kind", "")
    context = {
        "project": row,
        "kind": kind if kind in Challenge.Kind.values else "",
        "text_questions": project_stats.texts(row).is_enough,
    }
    return render(request, "take_part.html", context)


def _asking(request: HttpRequest) -> QuerySet[Project]:
    """Return the projects that somebody may take part in now: public ones, and those of theirs."""
    annotator = visitors.known(request, request.user)
    invited = Membership.objects.filter(annotator=annotator) if annotator else None
    theirs = access.projects(request.user, Capability.ANNOTATE)
    mine = Q(private=False) | Q(pk__in=theirs.values("pk"))
    if invited is not None:
        mine |= Q(pk__in=invited.values("project"))
    return projects.with_questions(Project.objects.open().filter(mine))


def _turned_away(
    request: HttpRequest, project: Project, refusal: challenges.ChallengeError
) -> HttpResponse:
    """Say why somebody cannot take part; only members are told the project's name."""
    member = access.projects(request.user).filter(pk=project.pk).exists()
    context = {
        "refusal": refusal,
        "private": isinstance(refusal, challenges.Private),
        "member": member,
        "closed": project if member else None,
    }
    return render(request, "turned_away.html", context, status=HTTPStatus.FORBIDDEN)


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
