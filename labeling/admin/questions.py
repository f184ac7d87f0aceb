"""Questions in the admin: the list, and each with its answers and the reviewer's decision."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from labeling import annotators, review
from labeling.admin import review_queue, svg
from labeling.admin.base import RecordAdmin, thumbnail
from labeling.models import Answer, Question, Tile
from labeling.permissions import may_view

CAPTION = Question.Kind.CAPTION


@admin.register(Question)
class QuestionAdmin(RecordAdmin[Question]):
    list_display = [
        "picture",
        "wording",
        "state",
        "probability_bar",
        "answered",
        "disagreement",
        "review_link",
    ]
    list_display_links = ["wording"]
    list_filter = ["state", "kind", "source", "reason", "project", "concept"]
    list_select_related = ["concept"]
    search_fields = ["text"]
    search_help_text = "A concept, words of a caption, or a question's number."
    ordering = ["-id"]
    sortable_by = ()
    readonly_fields = ["picture", "wording", "probability_bar"]

    class Media:
        css = {"all": ["staff/admin.css"]}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Question], search_term: str
    ) -> tuple[QuerySet[Question], bool]:
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        if term.isdecimal():
            return queryset.filter(pk=min(int(term), 2**63 - 1)), False
        words = SearchQuery(term, config="simple")
        captions = Question.objects.annotate(words=SearchVector("text", config="simple"))
        matches = captions.filter(kind=CAPTION, words=words).values("pk")
        return queryset.filter(Q(concept__name__iexact=term) | Q(pk__in=matches)), False

    @admin.display(description="picture")
    def picture(self, question: Question) -> SafeString | str:
        return thumbnail(question.tile_id)

    @admin.display(description="question")
    def wording(self, question: Question) -> str:
        return question.wording

    @admin.display(description="probability")
    def probability_bar(self, question: Question) -> SafeString:
        return format_html("{}{}", svg.probability_bar(question), f"{question.probability:.2f}")

    @admin.display(description="yes / answers")
    def answered(self, question: Question) -> str:
        return f"{question.yes_count} / {question.answers_count}"

    @admin.display(description="review")
    def review_link(self, question: Question) -> SafeString:
        address = reverse("admin:labeling_question_review", args=[question.pk])
        return format_html('<a href="{}">answers</a>', address)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/review/", wrap(require_GET(self.review)), name="labeling_question_review"
            ),
            path(
                "<int:pk>/decide/", wrap(require_POST(self.decide)), name="labeling_question_decide"
            ),
            *super().get_urls(),
        ]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("labeling.change_question")

    def review(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show one question large: its picture, its probability, and who answered what."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        question = _get_question(pk)
        filters = review_queue.Filters(request.GET, project=question.project)
        here = review_queue.Position.of(question)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": question.wording,
            "is_nav_sidebar_enabled": False,
            "question": question,
            "scale": svg.probability_scale(question),
            "whole": _whole(question.tile),
            "answers": _answers(question) if may_view(request.user, Answer) else None,
            "query": filters.query,
            "next": _first(review_queue.after(filters.questions(), here, 1)),
            "previous": _first(review_queue.before(filters.questions(), here, 1)),
            "no_count": question.answers_count - question.yes_count,
            "may_decide": self.has_decide_permission(request),
            "may_block": request.user.has_perm("labeling.change_annotator"),
        }
        return TemplateResponse(request, "admin/labeling/question/review.html", context)

    def decide(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Decide a question or reopen it, then show the next one."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        question = _get_question(pk)
        filters = review_queue.Filters(request.GET, project=question.project)
        here = review_queue.Position.of(question)
        _decide(request, question)
        following = _first(review_queue.after(filters.questions(), here, 1))
        if following:
            address = reverse("admin:labeling_question_review", args=[following.pk])
        else:
            messages.info(request, "That was the last of these questions.")
            address = reverse("admin:labeling_project_review", args=[question.project_id])
        return redirect(f"{address}?{filters.query}")


def _get_question(pk: int) -> Question:
    related = ("project", "concept", "tile__image", "decided_by", "author__user")
    return get_object_or_404(Question.objects.select_related(*related), pk=pk)


def _decide(request: HttpRequest, question: Question) -> None:
    by, choice = cast(User, request.user), request.POST.get("decision")
    if choice in {"yes", "no"}:
        review.decide(question=question, value=choice == "yes", by=by)
    elif choice == "reopen":
        review.reopen(question=question, by=by)
    else:
        messages.error(request, "Choose yes, no or reopen: nothing was changed.")
        return
    back = reverse("admin:labeling_question_review", args=[question.pk])
    result = "open again" if choice == "reopen" else f"{choice}, by your decision"
    messages.success(
        request, format_html('<a href="{}">{}</a> is {}.', back, question.wording, result)
    )


def _answers(question: Question) -> list[dict[str, Any]]:
    """Return each answer with its annotator's reliability, the most reliable first."""
    answers = Answer.objects.filter(question=question).select_related("annotator__user")
    rows = []
    for answer in answers.order_by("-annotator__reliability", "id")[:200]:
        mean, low, high = annotators.reliability(answer.annotator)
        rows.append(
            {
                "answer": answer,
                "annotator": answer.annotator,
                "reliability": f"{mean:.2f}",
                "range": f"{low:.2f}–{high:.2f}",
                "interval": svg.interval(mean, low, high),
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
