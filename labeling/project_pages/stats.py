"""A project's progress and agreement as its pages draw them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labeling import project_stats, svg
from labeling.models import Project, Question

LEAST_ALPHA = -0.5  # of the scale; below it people contradict each other
STATES = [
    Question.State.GOLD,
    Question.State.SETTLED,
    Question.State.AMBIGUOUS,
    Question.State.OPEN,
]


def progress(project: Project) -> dict[str, Any]:
    """Return the parts of the bar with their counts, and the totals beside it."""
    totals = project_stats.progress(project)
    counts = [(str(state), int(getattr(totals, state))) for state in STATES]
    questions = totals.questions
    return {
        "bar": svg.stacked_bar(counts),
        "parts": [(name, n, 100 * n / questions if questions else 0.0) for name, n in counts],
        "totals": totals,
    }


def agreement(project: Project) -> dict[str, Any]:
    """Return rows for the project and its concepts, the lowest alpha first, and their time."""
    measured = project_stats.agreement(project)
    concepts = sorted(
        measured["concepts"], key=lambda row: 2.0 if row["alpha"] is None else row["alpha"]
    )
    whole, rows = [_row(measured["whole"])], [_row(row) for row in concepts]
    return {
        "rows": rows,
        "tables": [whole, rows],
        "measured_at": datetime.fromisoformat(measured["measured_at"]),
    }


def _row(stats: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {"stats": stats, "alpha": "–", "range": "", "interval": ""}
    alpha = stats["alpha"]
    if alpha is not None:
        cells["alpha"] = f"{alpha:.2f}"
        cells["range"] = "too few for an interval"
    if alpha is not None and stats["low"] is not None:
        low, high = stats["low"], stats["high"]
        cells["range"] = f"{low:.2f} to {high:.2f}"
        cells["interval"] = svg.interval(
            alpha, low, high, least=LEAST_ALPHA, label=f"alpha {alpha:.2f}"
        )
    for name in ("percent", "prevalence"):
        cells[name] = None if stats[name] is None else 100 * stats[name]
    return cells
