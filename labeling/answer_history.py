"""An annotator's newest answers, one by one, and how accurate they were over time."""

from typing import Any

from django.db.models import QuerySet

from labeling import plots
from labeling.annotators import RECENT
from labeling.models import Annotator, Answer, Project

SHOWN = 30  # answers
GROUPS = 25  # points of the line
LEAST = 4  # answers in a point


def of(annotator: Annotator, *, project: Project | None = None) -> dict[str, Any]:
    """Return the newest answers, each with its label, and a plot of the share that is right.

    project: of which alone; None is all.
    """
    newest = _newest(annotator, project)
    rows = newest.select_related("question__concept", "question__project")[:SHOWN]
    return {
        "answers": [_row(answer) for answer in rows],
        "accuracy_history": _accuracy_history(newest),
    }


def _row(answer: Answer) -> dict[str, Any]:
    question = answer.question
    return {
        "answer": answer,
        "question": question,
        "right": answer.value == question.label,
    }


def _newest(annotator: Annotator, project: Project | None) -> QuerySet[Answer]:
    answers = Answer.objects.filter(annotator=annotator)
    if project is not None:
        answers = answers.filter(question__project=project)
    return answers.order_by("-created_at", "-pk")


def _accuracy_history(newest: QuerySet[Answer]) -> str:
    """Plot the expected share of right answers, by groups of successive answers."""
    rows = list(newest.values_list("created_at", "value", "question__probability")[:RECENT])[::-1]
    size = max(LEAST, -(-len(rows) // GROUPS))
    groups = [rows[start : start + size] for start in range(0, len(rows) - size + 1, size)]
    right = [
        sum(probability if value else 1 - probability for _, value, probability in group) / size
        for group in groups
    ]
    series = plots.Series("random", [group[-1][0] for group in groups], right)
    frame = plots.Frame(0.0, 1.0, plots.PATH_HEIGHT)
    label = f"Share of right answers, {size} a point, the newest last"
    return plots.history([series], frame, (0, 0.5, 1), label=label)
