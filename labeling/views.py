"""The pages that people take part on; what happens on them goes through the API."""

from http import HTTPStatus

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView, TemplateView

from labeling import (
    access,
    challenges,
    languages,
    project_stats,
    showcase,
    taking_part,
    visitors,
    welcome,
)
from labeling.accounts import set_up
from labeling.images import tiles
from labeling.models import Challenge, Project, Tile


def home(request: HttpRequest) -> HttpResponse:
    """Say what the answers are for, and lead to the first question; at first, to the set-up."""
    annotator = visitors.known(request, request.user)
    rows = list(taking_part.open_to(request.user, annotator))
    if not rows and set_up.is_needed():
        return redirect("set_up")
    cards = welcome.cards(rows, annotator, languages.wanted(request))
    context = {
        "cards": cards,
        "asks": any(card.asks for card in cards),
        "wall": welcome.wall(cards),
        "drawings": welcome.drawn(cards),
    }
    return render(request, "home.html", context)


def picture(request: HttpRequest, project: str, number: int) -> HttpResponse:
    """Send one of the pictures that the first page shows of a public project."""
    row = get_object_or_404(Project.objects.public(), slug=project)
    shown = showcase.tiles(row)
    if not 1 <= number <= len(shown):
        raise Http404("There is no such picture.")
    tile = get_object_or_404(Tile.objects.select_related("image"), pk=shown[number - 1])
    try:
        data = tiles.as_webp(tile, longest=showcase.LONGEST)
    except FileNotFoundError:
        raise Http404("The picture is gone.") from None
    response = HttpResponse(data, content_type="image/webp")
    response["Cache-Control"] = f"public, max-age={showcase.SECONDS}"
    return response


@never_cache
def take_part(request: HttpRequest) -> HttpResponse:
    """Go to a project that has a question for whoever asks; say so where none has."""
    annotator = visitors.known(request, request.user)
    rows = list(taking_part.open_to(request.user, annotator))
    project = taking_part.first(annotator, rows)
    if project is not None:
        return redirect("take_part", project=project.slug)
    return render(request, "nothing_to_ask.html", {"projects": rows})


@never_cache
def challenge(request: HttpRequest, project: str) -> HttpResponse:
    """Show the challenge screen; `?kind=` keeps to one kind of challenge."""
    row = get_object_or_404(Project, slug=project)
    annotator = visitors.known(request, request.user)
    try:
        challenges.admit(project=row, user=request.user, annotator=annotator)
    except (challenges.Closed, challenges.Private) as refusal:
        return _turned_away(request, row, refusal)
    kind = request.GET.get("kind", "")
    context = {
        "project": row,
        "kind": kind if kind in Challenge.Kind.values else "",
        "kinds": taking_part.kinds(row),
        "text_questions": project_stats.texts(row).is_enough,
        "annotator_key": visitors.key(annotator) if annotator else "",
        "offline_limit": settings.OFFLINE_CHALLENGES,
    }
    return render(request, "take_part.html", context)


@never_cache
def offline_worker(request: HttpRequest) -> FileResponse:
    """Send the service worker of the challenge page, from an address above those that it serves."""
    path = settings.FRONTEND_DIR / "static/pages/js/offline-worker.js"
    return FileResponse(path.open("rb"), content_type="text/javascript")


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
    path("take-part/worker.js", offline_worker, name="offline-worker"),
    path("take-part/<slug:project>/", challenge, name="take_part"),
    path("pictures/<slug:project>/<int:number>/", picture, name="showcase_picture"),
    path("favicon.ico", Favicon.as_view()),
    path(
        "robots.txt",
        TemplateView.as_view(template_name="robots.txt", content_type="text/plain"),
    ),
]
