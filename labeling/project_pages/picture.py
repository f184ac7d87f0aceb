"""One picture: how it came, what imports say of it, what it is asked, what is believed of it."""

from collections.abc import Callable, Collection
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from labeling import caption_order, provenance, removal
from labeling.access import Capability
from labeling.caption_order import Ranked
from labeling.images import visible
from labeling.models import Image, Project, Question
from labeling.project_pages import base, boxes, pictures, removals

Part = Callable[[Image], dict[str, Any]]  # what a template shows of a picture besides
_parts: list[Part] = []
CAPTIONS = 30  # that are ranked, the most probable
SEVERAL = 2  # captions, of which one can be better
QUESTIONS = 30  # that are shown; the page of labels has all


def register(part: Part) -> None:
    """Have the page show what this says of a picture: labelling knows no models itself."""
    _parts.append(part)


@require_GET
@base.page(Capability.VIEW)
def picture(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show a picture with all that is known of it."""
    return _render(request, _image(project, pk))


@require_POST
@base.page(Capability.MANAGE)
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Remove a picture, for a reason."""
    image = _image(project, pk)
    reason = request.POST.get("reason", "")
    try:
        removed = removal.remove([image], by=cast(User, request.user), reason=reason)
    except removal.RemovalError as error:
        return _render(request, image, error=str(error), reason=reason)
    messages.success(request, f"Removed {removed}: {image}.")
    removals.say_consequences(request, project)
    return redirect("project-pictures", project.slug)


def _image(project: Project, pk: int) -> Image:
    images = Image.objects.select_related(
        "imported_by__requested_by", "text_source", "near_duplicate_of", "project"
    )
    return get_object_or_404(images, pk=pk, project=project)


def _render(
    request: HttpRequest, image: Image, *, error: str = "", reason: str = ""
) -> HttpResponse:
    keys = image.project.images.filter(visible()).values_list("pk", flat=True)
    captions = _captions(image)
    context: dict[str, Any] = {
        "image": image,
        "captions": captions,
        "whole": image.tiles.filter(grid=1).first(),
        "boxes": boxes.of(image),
        "questions": _questions(image, [caption.pk for caption in captions]),
        "origins": provenance.of_image(image),
        "near_duplicates": list(image.near_duplicates.filter(visible()).order_by("pk")[:10]),
        "newer": keys.filter(pk__gt=image.pk).order_by("pk").first(),
        "older": keys.filter(pk__lt=image.pk).order_by("-pk").first(),
        "remove_error": error,
        "reason": reason,
    }
    for part in _parts:
        context |= part(image)
    return base.render(
        request,
        image.project,
        "project/picture.html",
        context,
        section=pictures.SECTION,
        status=400 if error else 200,
    )


def _captions(image: Image) -> list[Ranked]:
    """Return the captions of a picture that has several, the best first."""
    asked = Question.objects.filter(tile__image=image, kind=Question.Kind.CAPTION, grid=1)
    ids = asked.order_by("-probability", "pk").values_list("pk", flat=True)[:CAPTIONS]
    if len(ids) < SEVERAL:
        return []
    return caption_order.Reader(image.project).ranked(asked.filter(pk__in=list(ids)))


def _questions(image: Image, captions: Collection[int]) -> list[Question]:
    """Return the other stored questions about a picture, the most answered first."""
    stored = Question.objects.filter(tile__image=image).exclude(pk__in=captions)
    stored = stored.select_related("concept", "tile")
    return list(stored.order_by("-answers_count", "pk")[:QUESTIONS])


urlpatterns = [
    path("pictures/<int:pk>/", picture, name="project-picture"),
    path("pictures/<int:pk>/remove/", remove, name="project-picture-remove"),
]
