"""Existing gold as reviewers see it: who marked it, and how often people miss it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, FloatField, IntegerField, QuerySet, When
from django.db.models.functions import Cast, Greatest

from labeling.models import Concept, GoldMark, Question

SUSPECT_ANSWERS = 3  # from which on gold that most people miss is suspect
SUSPECT_SHARE = 0.5

ORDERS = {"missed": "most often missed", "newest": "newest first", "yes": "yes first"}


@dataclass(frozen=True)
class GoldQuestion:
    """A gold question, with the answers that missed its truth."""

    question: Question
    missed: int
    mark: GoldMark | None  # None: it came with a demo or a test

    @property
    def share(self) -> float:
        """The share of answers that missed it, in [0, 1]; 0 without answers."""
        count = self.question.answers_count
        return self.missed / count if count else 0.0

    @property
    def suspect(self) -> bool:
        """Whether so many people miss it that its truth, or its picture, is in doubt."""
        return is_suspect(self.missed, self.question.answers_count)


def is_suspect(missed: int, answers: int) -> bool:
    """Return whether gold that so many of its answers missed is proposed for replacement."""
    return answers >= SUSPECT_ANSWERS and missed > SUSPECT_SHARE * answers


def wall(
    concept: Concept, *, order: str = "missed", offset: int = 0, limit: int = 60
) -> tuple[list[GoldQuestion], int]:
    """Return gold questions about a concept in one of ORDERS, a page of them, and their number."""
    gold = of_concept(concept)
    rows: list[Any] = list(
        _ordered(gold, order).select_related("concept", "tile__image")[offset : offset + limit]
    )
    marks = {
        mark.tile_id: mark
        for mark in GoldMark.objects.filter(
            concept=concept, tile__in=[row.tile_id for row in rows], ended_at=None
        ).select_related("user")
    }
    page = [GoldQuestion(row, row.missed, marks.get(row.tile_id)) for row in rows]
    return page, gold.count()


def of_concept(concept: Concept) -> QuerySet[Question]:
    """Return the gold questions about a concept, each with how many answers `missed` its truth."""
    gold = Question.objects.filter(
        concept=concept, kind=Question.Kind.CONCEPT, state=Question.State.GOLD
    )
    return gold.annotate(missed=_missed())


def suspects(project_id: int) -> dict[int, int]:
    """Return by concept how many of a project's gold questions are suspect."""
    gold = Question.objects.filter(
        project=project_id,
        kind=Question.Kind.CONCEPT,
        state=Question.State.GOLD,
        answers_count__gte=SUSPECT_ANSWERS,
    )
    missed = gold.annotate(missed=_missed()).filter(missed__gt=F("answers_count") * SUSPECT_SHARE)
    rows = missed.order_by().values_list("concept").annotate(n=Count("pk"))
    return {concept: number for concept, number in rows if concept is not None}


def _missed() -> Case:
    """Return how many answers missed the truth of a gold question."""
    no_count = F("answers_count") - F("yes_count")
    return Case(
        When(verdict=True, then=no_count), default=F("yes_count"), output_field=IntegerField()
    )


def _ordered(gold: QuerySet[Question], order: str) -> QuerySet[Question]:
    if order == "newest":
        return gold.order_by("-pk")
    if order == "yes":
        return gold.order_by("-verdict", "pk")
    share = Cast("missed", FloatField()) / Greatest(F("answers_count"), 1)
    return gold.annotate(share=share).order_by("-share", "-answers_count", "pk")
