"""The pictures of a project's tiles, for whoever may see its pages."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path

from labeling.access import Capability
from labeling.images import tiles
from labeling.models import Project, Tile
from labeling.project_pages import base

SMALL = 160  # pixels of the longer side, in lists
LARGE = 640  # and where one picture is looked at


@base.page(Capability.VIEW, cacheable=True)
def picture(request: HttpRequest, project: Project, pk: int, longest: int = SMALL) -> HttpResponse:
    """Send the picture of a tile, which browsers may keep for a day."""
    tile = get_object_or_404(Tile.objects.select_related("image"), pk=pk, image__project=project)
    return send(tile, longest=longest)


def send(tile: Tile, *, longest: int) -> HttpResponse:
    """Return a response with the picture, its longer side so many pixels at most.

    Raises Http404 where its file has gone.
    """
    try:
        picture = tiles.as_webp(tile, longest=longest)
    except FileNotFoundError:
        raise Http404("The picture is gone.") from None
    response = HttpResponse(picture, content_type="image/webp")
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response


urlpatterns = [
    path("tiles/<int:pk>/", picture, name="project-tile"),
    path("tiles/<int:pk>/large/", picture, {"longest": LARGE}, "project-tile-large"),
]
