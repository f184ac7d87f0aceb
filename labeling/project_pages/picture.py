"""One picture: how it came, what imports say of it, what it is asked, what is believed of it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.views.decorators.http import require_GET

from labeling.access import Capability
from labeling.models import Image, Project, Question
from labeling.project_pages import base, pictures

QUESTIONS = 30  # that are shown; the page of labels has all


@require_GET
@base.page(Capability.VIEW)
def picture(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show a picture with all that is known of it."""
    images = Image.objects.select_related("imported_by", "near_duplicate_of")
    image = get_object_or_404(images, pk=pk, project=project)
    keys = project.images.values_list("pk", flat=True)
    context = {
        "image": image,
        "whole": image.tiles.filter(grid=1).first(),
        "questions": _questions(image),
        "near_duplicates": list(image.near_duplicates.order_by("pk")[:10]),
        "newer": keys.filter(pk__gt=pk).order_by("pk").first(),
        "older": keys.filter(pk__lt=pk).order_by("-pk").first(),
    }
    template = "project/picture.html"
    return base.render(request, project, template, context, section=pictures.SECTION)


def _questions(image: Image) -> list[Question]:
    """Return the stored questions about a picture, the most answered first."""
    stored = Question.objects.filter(tile__image=image).select_related("concept", "tile")
    return list(stored.order_by("-answers_count", "pk")[:QUESTIONS])


urlpatterns = [path("pictures/<int:pk>/", picture, name="project-picture")]
