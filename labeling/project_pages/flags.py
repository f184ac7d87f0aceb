"""What annotators and reviewers flagged, and what becomes of it."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import comments, skip_reasons
from labeling.access import Capability
from labeling.models import Comment, Project, Question, Tile
from labeling.numbers import parse_id
from labeling.project_pages import base, labels

PAGE = 48


@require_GET
@base.page(Capability.VIEW)
def flags(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the flags that wait, the newest first, a page at a time, and why people skipped."""
    before = parse_id(request.GET.get("before", ""))
    rows = comments.open_flags(project)
    if before:
        rows = rows.filter(pk__lt=before)
    related = ("tile__image", "question__concept", "user", "annotator__user")
    flags = list(rows.select_related(*related)[: PAGE + 1])
    page = flags[:PAGE]
    context = {
        "flags": page,
        "skipped": [] if before else skip_reasons.of_project(project),
        "more": page[-1].pk if len(flags) > PAGE else None,
        "first_page": not before,
    }
    return base.render(request, project, "project/flags.html", context, section=labels.SECTION)


@require_POST
@base.page(Capability.REVIEW)
def resolve(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Say that a flag or remark was seen to, and go back to where it was shown."""
    comment = get_object_or_404(
        Comment.objects.select_related("question", "tile", "project"), pk=pk, project=project
    )
    if comments.resolve(comment=comment, by=cast(User, request.user)):
        messages.success(request, f"Resolved: {comment.get_kind_display()}.")
    else:
        messages.info(request, "That was resolved before.")
    if request.POST.get("back") == "question" and comment.question_id:
        address = reverse("project-question", args=[project.slug, comment.question_id])
        return redirect(f"{address}#comments")
    return redirect("project-flags", project.slug)


@require_POST
@base.page(Capability.REVIEW)
def resolve_skips(request: HttpRequest, project: Project) -> HttpResponse:
    """Say that it was seen to why a picture, or a question about it, was skipped."""
    tile = get_object_or_404(
        Tile.objects.select_related("image__project"),
        pk=parse_id(request.POST.get("tile", "")),
        image__project=project,
    )
    question = None
    if asked := request.POST.get("question"):
        question = get_object_or_404(Question, pk=parse_id(asked), tile=tile)
    skip_reasons.resolve(tile=tile, question=question, by=cast(User, request.user))
    messages.success(request, "Resolved: it is shown again if more people skip it for a reason.")
    return redirect("project-flags", project.slug)


urlpatterns = [
    path("flags/", flags, name="project-flags"),
    path("skips/resolve/", resolve_skips, name="project-skips-resolve"),
    path("comments/<int:pk>/resolve/", resolve, name="project-comment-resolve"),
]
