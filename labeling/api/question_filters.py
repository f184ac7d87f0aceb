"""Which of a project's questions are listed, and in which order."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from labeling import concepts, provenance, review_order, unions
from labeling.api.pagination import Forward, no_page
from labeling.api.queries import Id, Moment, OneOf, Query, Share, WholeNumber
from labeling.models import Concept, Project, Question
from labeling.models.projects import name_key
from labeling.review_order import Position, Questions
from labeling.unions import RowUnion

COUNT_MAX = 2**31 - 1
ORDERS = ["id", "disagreement"]


class QuestionFilters(Query):
    state = OneOf(choices=Question.State.choices, required=False)
    kind = OneOf(choices=Question.Kind.choices, required=False)
    source = OneOf(choices=Question.Source.choices, required=False)  # type: ignore[assignment]
    reason = OneOf(choices=Question.Reason.choices, required=False, help_text="Why it is stored.")
    concept = serializers.CharField(
        max_length=80, required=False, help_text="Its name, or an alias."
    )
    image = Id(source="tile__image", required=False, help_text="Its id.")
    tile = Id(required=False, help_text="Its id.")
    words = serializers.CharField(
        max_length=200, required=False, help_text="That a caption has, all of them, in any order."
    )
    probability_min = Share(source="probability__gte", required=False)
    probability_max = Share(source="probability__lte", required=False)
    answers_min = WholeNumber(source="answers_count__gte", max_value=COUNT_MAX, required=False)
    answers_max = WholeNumber(source="answers_count__lte", max_value=COUNT_MAX, required=False)
    decided = OneOf(
        choices=["no", "yes", "mine", "flagged"],
        required=False,
        help_text="Whether the truth is known: by a decision, or as gold; mine: you decided it; "
        "flagged: a flag of its picture waits, of the newest thousand.",
    )
    settled_since = Moment(source="settled_at__gte", required=False, help_text="Then or later.")
    imported_by = Id(required=False, help_text="The import of the caption, or of the picture.")
    vendor = serializers.CharField(
        required=False, max_length=200, help_text="Of the caption, or of the picture."
    )
    batch = serializers.CharField(required=False, max_length=200, help_text="Of the import.")
    order = OneOf(
        choices=ORDERS,
        required=False,
        default="id",
        help_text="disagreement: as reviewers see them, those first on which people disagree.",
    )


class InReviewOrder(Forward):
    """Pages of questions, those first on which people disagree."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request, size = request, self.get_page_size(request)
        rows = review_order.after(queryset, _position(request), size + 1)
        self.following = Position.of(rows[size - 1]) if len(rows) > size else None
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Any:
        return self.response(self.request, data, self.following)


def filtered(
    questions: QuerySet[Question], project: Project, chosen: dict[str, Any], by: User
) -> Questions:
    """Return the questions of a project that are chosen. Raises ValidationError."""
    filters = {name: value for name, value in chosen.items() if name not in _OWN}
    if "concept" in chosen:
        filters["concept"] = known_concept(project, chosen["concept"])
    rows = questions.filter(**filters)
    if "concept" in chosen:
        rows = rows.filter(kind="concept")  # by which the index of a concept is chosen
    if "words" in chosen:
        words = SearchQuery(chosen["words"], config="simple")
        searched = SearchVector("text", config="simple")
        rows = rows.annotate(searched=searched).filter(kind="caption", searched=words)
    rows = _decided(rows, project, chosen.get("decided", ""), by)
    origin = {name: chosen.get(name, "") for name in ("vendor", "batch")}
    record = chosen.get("imported_by")
    if chosen.get("kind") == Question.Kind.CAPTION and not (record or any(origin.values())):
        return RowUnion(rows, (unions.part(kind=Question.Kind.CAPTION),))  # ids by their own index
    return provenance.of_questions(rows, record=record, **origin)


def known_concept(project: Project, name: str) -> Concept:
    """Return the concept that a parameter names. Raises ValidationError."""
    concept = project.concepts.filter(name=name).first()
    concept = concept or concepts.by_key(project).get(name_key(name))
    if concept is None:
        raise ValidationError({"concept": [f"The project has no concept “{name}”."]})
    return concept


_OWN = {"concept", "words", "decided", "imported_by", "vendor", "batch", "order"}


def _decided(
    rows: QuerySet[Question], project: Project, decided: str, by: User
) -> QuerySet[Question]:
    if decided == "mine":
        return rows.filter(decided_by=by.pk)
    if decided == "flagged":
        return review_order.flagged(rows, project)
    return rows.filter(verdict__isnull=decided == "no") if decided else rows


def _position(request: Request) -> Position | None:
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    try:
        return Position.read(text[:60])
    except ValueError:
        raise no_page() from None
