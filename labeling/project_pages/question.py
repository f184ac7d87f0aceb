"""The page of one question: its picture, who answered what, and the reviewer's decision."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from labeling import (
    access,
    annotators,
    comments,
    evidence,
    exclusions,
    gold,
    provenance,
    review,
    review_order,
    skip_reasons,
    svg,
)
from labeling.access import Capability
from labeling.models import Answer, Comment, Project, Question, Tile
from labeling.project_pages import base, labels, review_queue

ANSWERS = 200  # at most, on the page


@require_GET
@base.page(Capability.VIEW)
def question(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one question large: its picture, its probability, and who answered what."""
    row = _get_question(project, pk)
    filters = review_queue.Filters(request.GET, project=project, user=request.user)
    here = review_order.Position.of(row)
    may_review = access.may(request.user, project, Capability.REVIEW)
    context = {
        "question": row,
        "ruled_out_by": exclusions.ruled_out_by(row),
        "scale": svg.probability_scale(row),
        "whole": _whole(row.tile),
        "answers": _answers(row) if may_review else None,
        "comments": comments.of_question(row),
        "skipped": skip_reasons.of_question(row),
        "kinds": comments.FLAG_KINDS,
        "query": filters.query,
        "next": _first(review_order.after(filters.questions(), here, 1)),
        "previous": _first(review_order.before(filters.questions(), here, 1)),
        "origin": provenance.of_text_source(row.text_source) if row.text_source else None,
        "no_count": row.answers_count - row.yes_count,
    }
    return base.render(request, project, "project/question.html", context, section=labels.SECTION)


@require_POST
@base.page(Capability.REVIEW)
def decide(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Decide a question or reopen it, then show the next one."""
    row = _get_question(project, pk)
    filters = review_queue.Filters(request.GET, project=project, user=request.user)
    here = review_order.Position.of(row)
    if not _decide(request, row):
        address = reverse("project-question", args=[project.slug, pk])
        return redirect(f"{address}?{filters.query}")
    following = _first(review_order.after(filters.questions(), here, 1))
    if following:
        address = reverse("project-question", args=[project.slug, following.pk])
    else:
        messages.info(request, "That was the last of these questions.")
        address = reverse("project-labels", args=[project.slug])
    return redirect(f"{address}?{filters.query}")


@require_POST
@base.page(Capability.REVIEW)
def comment(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Keep a remark about a question, or flag its picture."""
    row = _get_question(project, pk)
    kind, text, by = request.POST.get("kind", ""), request.POST.get("text", ""), request.user
    try:
        if kind in Comment.FLAGS:
            comments.flag(tile=row.tile, kind=kind, text=text, question=row, user=cast(User, by))
        else:
            comments.remark(question=row, text=text, by=cast(User, by))
    except comments.CommentError as error:
        messages.error(request, str(error))
    filters = review_queue.Filters(request.GET, project=project, user=by)
    address = reverse("project-question", args=[project.slug, pk])
    return redirect(f"{address}?{filters.query}#comments")


def _get_question(project: Project, pk: int) -> Question:
    related = ["project", "concept", "tile__image", "decided_by", "author__user"]
    related.append("text_source__imported_by__requested_by")
    return get_object_or_404(Question.objects.select_related(*related), pk=pk, project=project)


def _decide(request: HttpRequest, question: Question) -> bool:
    """Decide as the form says; return whether that was done."""
    by, choice = cast(User, request.user), request.POST.get("decision")
    note, seen = request.POST.get("note", ""), request.POST.get("seen")
    try:
        if choice in {"yes", "no"}:
            review.decide(question=question, value=choice == "yes", by=by, note=note, seen=seen)
        elif choice == "reopen":
            review.reopen(question=question, by=by, note=note, seen=seen)
        else:
            messages.error(request, "Choose yes, no or reopen: nothing was changed.")
            return False
    except (review.Changed, gold.GoldError) as error:
        messages.error(request, str(error))
        return False
    back = reverse("project-question", args=[question.project.slug, question.pk])
    result = "open again" if choice == "reopen" else f"{choice}, by your decision"
    messages.success(
        request, format_html('<a href="{}">{}</a> is {}.', back, question.wording, result)
    )
    return True


def _answers(question: Question) -> list[dict[str, Any]]:
    """Return each answer with its weight and its annotator's reliability, the best first."""
    answers = Answer.objects.filter(question=question).select_related("annotator__user")
    trusted = set(Answer.objects.trusted().filter(question=question).values_list("pk", flat=True))
    shown = list(answers.order_by("-annotator__reliability", "id")[:ANSWERS])
    priors = evidence.earnest_priors([each.annotator_id for each in shown], question.project)
    rows = []
    for answer in shown:
        weight = evidence.share(answer, priors[answer.annotator_id])
        mean, low, high = annotators.reliability(answer.annotator)
        rows.append(
            {
                "answer": answer,
                "annotator": answer.annotator,
                "reliability": f"{mean:.2f}",
                "range": f"{low:.2f}–{high:.2f}",
                "interval": svg.interval(mean, low, high),
                "weight": weight if answer.pk in trusted else 0.0,
            }
        )
    return rows


def _whole(tile: Tile) -> Tile | None:
    """Return the whole picture, where the question is about a part of it."""
    if tile.grid == 1:
        return None
    return Tile.objects.filter(image_id=tile.image_id, grid=1).first()


def _first(questions: list[Question]) -> Question | None:
    return questions[0] if questions else None


urlpatterns = [
    path("questions/<int:pk>/", question, name="project-question"),
    path("questions/<int:pk>/decide/", decide, name="project-question-decide"),
    path("questions/<int:pk>/comment/", comment, name="project-question-comment"),
]
