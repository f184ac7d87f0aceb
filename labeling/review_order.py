"""In which order questions are reviewed: disagreements first, then the newest.

Pages are found by the last question of the page before (its disagreement and id), which an index
answers at any depth; nothing is counted or skipped over.
"""

import math
from dataclasses import dataclass

from django.db.models import QuerySet

from labeling import comments, replica
from labeling.models import Project, Question
from labeling.unions import RowUnion

Questions = QuerySet[Question] | RowUnion[Question]


@dataclass(frozen=True)
class Position:
    """Where a question stands in the order of review."""

    disagreement: float
    id: int

    @classmethod
    def of(cls, question: Question) -> "Position":
        return cls(question.disagreement, question.pk)

    @classmethod
    def read(cls, text: str) -> "Position":
        """Read what `str` writes. Raises ValueError."""
        disagreement, _, pk = text.partition("_")
        position = cls(float(disagreement), int(pk))
        if not math.isfinite(position.disagreement) or not 0 <= position.id < 2**63:
            raise ValueError(text)
        return position

    def __str__(self) -> str:
        return f"{self.disagreement!r}_{self.id}"


def after(questions: Questions, position: Position | None, count: int) -> list[Question]:
    """Return the next questions in the order of review; the first ones without a position."""
    return replica.read(lambda: _after(questions, position, count))


def _after(questions: Questions, position: Position | None, count: int) -> list[Question]:
    ordered = questions.order_by("-disagreement", "-id")
    if position is None:
        return list(ordered[:count])
    level = ordered.filter(disagreement=position.disagreement, id__lt=position.id)
    page = list(level[:count])
    if len(page) < count:
        page += ordered.filter(disagreement__lt=position.disagreement)[: count - len(page)]
    return page


def before(questions: Questions, position: Position, count: int) -> list[Question]:
    """Return the questions just before a position, the nearest first."""
    ordered = questions.order_by("disagreement", "id")
    level = ordered.filter(disagreement=position.disagreement, id__gt=position.id)
    page = list(level[:count])
    if len(page) < count:
        page += ordered.filter(disagreement__gt=position.disagreement)[: count - len(page)]
    return page


def flagged(questions: QuerySet[Question], project: Project) -> QuerySet[Question]:
    """Keep the questions of a project whose tiles have the newest unresolved flags."""
    return questions.filter(pk__in=comments.flagged_questions(project))
