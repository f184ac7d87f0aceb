"""How far a project is, and how far its annotators agree: reckoned once in a while, then kept."""

from collections.abc import Callable
from typing import Any, cast

from django.core.cache import cache
from django.utils import timezone

from labeling import agreement as agreements
from labeling import progress as project_progress
from labeling.admin import svg
from labeling.models import Project, Question

SUMMARY_SECONDS = 5
AGREEMENT_SECONDS = 300
LEAST_ALPHA = -0.5  # where the drawn scale begins; below it people contradict each other
PARTS = [Question.State.GOLD, Question.State.SETTLED, Question.State.AMBIGUOUS, Question.State.OPEN]


def progress(project: Project) -> dict[str, Any]:
    """The parts of the bar with their counts, and who took part."""
    return _kept(f"progress-{project.pk}", lambda: _progress(project), SUMMARY_SECONDS)


def agreement(project: Project) -> dict[str, Any]:
    """Agreement in the project and on each concept, the lowest first; when it was reckoned."""
    return _kept(f"agreement-{project.pk}", lambda: _agreement(project), AGREEMENT_SECONDS)


def forget(project: Project) -> None:
    """Reckon a project's figures anew when they are next looked at."""
    cache.delete_many([f"progress-{project.pk}", f"agreement-{project.pk}"])


def _progress(project: Project) -> dict[str, Any]:
    summary = project_progress.measure(project=project)
    counts = [(str(state), int(getattr(summary, state))) for state in PARTS]
    total = sum(count for _, count in counts)
    return {
        "bar": svg.shares(counts),
        "parts": [(name, count, 100 * count / total if total else 0.0) for name, count in counts],
        "questions": total,
        "answers": summary.answers,
        "annotators": summary.annotators,
    }


def _agreement(project: Project) -> dict[str, Any]:
    found = agreements.measure(project=project)
    concepts = sorted(found.concepts, key=lambda row: 2.0 if row.alpha is None else row.alpha)
    rows = [_row(row) for row in concepts]
    return {"rows": rows, "tables": [[_row(found.whole)], rows], "at": timezone.now()}


def _row(row: agreements.ConceptAgreement) -> dict[str, Any]:
    cells: dict[str, Any] = {"figures": row, "alpha": "–", "range": "", "drawing": ""}
    if row.alpha is not None:
        low, high = (row.alpha if end is None else end for end in (row.low, row.high))
        cells["alpha"] = f"{row.alpha:.2f}"
        cells["range"] = f"{low:.2f} to {high:.2f}"
        cells["drawing"] = svg.interval(
            row.alpha, low, high, least=LEAST_ALPHA, label=f"alpha {row.alpha:.2f}"
        )
    cells["percent"] = None if row.percent is None else 100 * row.percent
    cells["prevalence"] = None if row.prevalence is None else 100 * row.prevalence
    return cells


def _kept(key: str, reckon: Callable[[], dict[str, Any]], seconds: int) -> dict[str, Any]:
    return cast(dict[str, Any], cache.get_or_set(key, reckon, seconds))
