"""What an annotator did lately: the answers one by one, and how good they were over time."""

from typing import Any

from labeling.admin import plots
from labeling.admin.base import thumbnail
from labeling.annotators import RECENT
from labeling.models import Annotator, Answer

SHOWN = 30  # answers
GROUPS = 25  # points of the line
LEAST = 4  # answers in a point


def of(annotator: Annotator) -> dict[str, Any]:
    """The newest answers, each with what is so; and the share of them that is right, over time."""
    newest = Answer.objects.filter(annotator=annotator).order_by("-created_at", "-pk")
    rows = newest.select_related("question__concept")[:SHOWN]
    return {
        "said": [_row(answer) for answer in rows],
        "course": _course(annotator),
    }


def _row(answer: Answer) -> dict[str, Any]:
    question = answer.question
    return {
        "answer": answer,
        "question": question,
        "picture": thumbnail(question.tile_id),
        "right": answer.value == question.label,
    }


def _course(annotator: Annotator) -> str:
    """Groups of answers that follow one another: how often they are what is believed now."""
    newest = Answer.objects.filter(annotator=annotator).order_by("-created_at", "-pk")
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
