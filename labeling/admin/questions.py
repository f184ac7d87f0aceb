"""Questions in the admin: the list, which leads to each one's page."""

from django.contrib import admin
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling import svg
from labeling.admin.base import RecordAdmin, thumbnail
from labeling.models import Question

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
    list_select_related = ["concept", "project"]
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
            number = int(term) if len(term) < 19 else 0
            return queryset.filter(pk=number), False
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
        address = reverse("project-question", args=[question.project.slug, question.pk])
        return format_html('<a href="{}">answers</a>', address)
