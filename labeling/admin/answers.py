"""Challenges and answers in the admin."""

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from labeling.admin.base import RecordAdmin, rounded
from labeling.models import Annotator, Answer, Challenge

M = TypeVar("M", bound=Model)


class OfAnnotatorAdmin(RecordAdmin[M]):
    """Records that are searched by their annotator."""

    search_fields = ["annotator__pseudonym"]
    search_help_text = "An annotator's user name or whole pseudonym."
    sortable_by = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        name = search_term.strip()
        if name:
            named = Annotator.objects.filter(Q(pseudonym=name) | Q(user__username=name))
            queryset = queryset.filter(annotator__in=list(named))
        return queryset, False


@admin.register(Answer)
class AnswerAdmin(OfAnnotatorAdmin[Answer]):
    list_display = ["created_at", "annotator", "wording", "value", "reason", rounded("seconds")]
    list_filter = ["value", "reason"]
    list_select_related = ["annotator__user", "question__concept"]
    ordering = ["-id"]

    @admin.display(description="question")
    def wording(self, answer: Answer) -> str:
        return answer.question.wording


@admin.register(Challenge)
class ChallengeAdmin(OfAnnotatorAdmin[Challenge]):
    list_display = [
        "created_at",
        "kind",
        "concept",
        "annotator",
        "outcome",
        "passed",
        rounded("seconds"),
    ]
    list_filter = ["project", "kind", "skipped", "skip_reason", "passed"]
    list_select_related = ["annotator__user", "concept"]
    ordering = ["-created_at"]

    @admin.display(description="outcome")
    def outcome(self, challenge: Challenge) -> str:
        if challenge.skipped:
            reason = challenge.get_skip_reason_display()
            return f"skipped: {reason}" if reason else "skipped"
        return "answered" if challenge.answered_at else "not answered"
