"""Asking by parts: the tick, what it means, how far the cutting is, and single pictures."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from labeling import gold, parts, tasks
from labeling.access import Capability
from labeling.models import Project
from labeling.parts import PartsError
from labeling.project_pages import base
from labeling.project_pages.gold import SECTION, get_concept

PICTURES = 10  # on which somebody draws at once


@base.page(Capability.VIEW)
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how many pictures are asked about by their parts."""
    context = {"progress": parts.progress(project), "side": parts.SIDE_MIN}
    return base.render(request, project, "project/parts.html", context, section=SECTION)


@require_POST
@base.page(Capability.MANAGE)
def change(request: HttpRequest, project: Project) -> HttpResponse:
    """Begin or stop asking by parts, as a form says."""
    by, choice = cast(User, request.user), request.POST.get("choice")
    if choice == "ask":
        parts.ask(project=project, by=by)
        messages.success(request, "Pictures are cut into parts from now on.")
    elif choice in {"stop", "restore"}:
        parts.stop(project=project, by=by, restore=choice == "restore")
        messages.success(request, "New pictures are asked about as a whole from now on.")
    else:
        messages.error(request, "Choose what to do: nothing was changed.")
    tasks.cut_pictures_later(project)
    return redirect("project-parts", project.slug)


@require_POST
@base.page(Capability.MANAGE)
def change_picture(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Cut one picture, or put it back."""
    image = get_object_or_404(project.images.all(), pk=pk)
    by = cast(User, request.user)
    try:
        if request.POST.get("choice") == "cut":
            parts.cut_picture(image=image, by=by)
            messages.success(request, "The picture is asked about by its 4 × 4 parts now.")
        else:
            parts.restore_picture(image=image, by=by)
            messages.success(request, "The picture is asked about as a whole again.")
    except PartsError as error:
        messages.error(request, str(error))
    return redirect(base.next_address(request, request.path.removesuffix("parts/")))


@require_GET
@base.page(Capability.REVIEW)
def draw(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show cut pictures, one after the other, to draw rectangles on."""
    concept = get_concept(project, pk)
    pictures = gold.session_of_parts(concept, PICTURES)
    rows = project.images.in_bulk([picture.image for picture in pictures])
    context = {
        "concept": concept,
        "pictures": [(picture, rows[picture.image]) for picture in pictures],
    }
    return base.render(request, project, "project/gold_parts.html", context, section=SECTION)


urlpatterns = [
    path("parts/", require_GET(overview), name="project-parts"),
    path("parts/change/", change, name="project-parts-change"),
    path("pictures/<int:pk>/parts/", change_picture, name="project-picture-parts"),
    path("gold/<int:pk>/parts/", draw, name="project-gold-parts"),
]
