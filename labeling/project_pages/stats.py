"""A project's progress and agreement as its pages draw them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from labeling import advice, project_stats, provenance, svg
from labeling.advice import Advice, Target
from labeling.models import Project, Question

SORTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "name": lambda row: row["concept"]["name"],
    "alpha": lambda row: row["alpha"],
    "n": lambda row: row["compared"],
    "agree": lambda row: row["percent"],
    "yes": lambda row: row["prevalence"],
}
LEAST_ALPHA = -0.5  # of the scale; below it people contradict each other
STATES = [
    Question.State.GOLD,
    Question.State.SETTLED,
    Question.State.AMBIGUOUS,
    Question.State.OPEN,
]


def progress(project: Project) -> dict[str, Any]:
    """Return the parts of the bar with their counts, and the totals beside it."""
    project_stats.follow_changes(project)
    totals = project_stats.progress(project)
    counts = [(str(state), int(getattr(totals, state))) for state in STATES]
    questions = totals.questions
    return {
        "bar": svg.stacked_bar(counts),
        "parts": [(name, n, 100 * n / questions if questions else 0.0) for name, n in counts],
        "totals": totals,
        "costs": _costs(project, labels=totals.settled),
    }


def _costs(project: Project, *, labels: int) -> list[str]:
    """Say what the imports cost, in all and by each certain label."""
    return [
        f"{provenance.amount(cost, currency)} of imports"
        + (f", {provenance.amount(cost / labels, currency)} a certain label" if labels else "")
        for currency, cost in provenance.costs(project).items()
    ]


def agreement(
    project: Project, *, sort: str = "alpha", descending: bool = False, least: int = 0
) -> dict[str, Any]:
    """Return rows for the project and its concepts in an order, and their time.

    sort: one of SORTS; what has no value comes last either way. least: concepts with fewer
    questions in common are in `few`, apart from `rows`.
    """
    measured = project_stats.agreement(project)
    annotators = project_stats.progress(project).people
    help_ = advice.of_concepts(project, measured["concepts"], annotators=annotators)
    rows = [
        _row(stats, project, help_[stats["concept"]["id"]])
        for stats in _sorted(measured["concepts"], sort, descending)
    ]
    whole = measured["whole"]
    return {
        "whole": _row(whole, project, advice.advise(advice.evidence(whole, annotators=annotators))),
        "rows": [row for row in rows if row["stats"]["compared"] >= least],
        "few": [row for row in rows if row["stats"]["compared"] < least],
        "measured_at": datetime.fromisoformat(measured["measured_at"]),
    }


def _sorted(rows: Sequence[dict[str, Any]], sort: str, descending: bool) -> list[dict[str, Any]]:
    if sort == "name":  # in their order already, by the database's collation
        return list(rows)[::-1] if descending else list(rows)
    value = SORTS[sort]
    known = [row for row in rows if value(row) is not None]
    unknown = [row for row in rows if value(row) is None]
    return [*sorted(known, key=value, reverse=descending), *unknown]


def _advice(
    project: Project, stats: Mapping[str, Any], found: Advice | None
) -> dict[str, Any] | None:
    """Return a sentence of advice, and the address of the page where it is followed."""
    if found is None:
        return None
    concept = stats["concept"]["id"] if stats["concept"] else None
    labels = reverse("project-labels", args=[project.slug])
    if found.target == Target.PEOPLE:
        url = reverse("project-people", args=[project.slug])
    elif concept is None:
        concepts = reverse("project-concepts", args=[project.slug])
        url = labels if found.target == Target.LABELS else concepts
    elif found.target == Target.CONCEPT:
        url = reverse("project-concept", args=[project.slug, concept])
    elif found.target == Target.GOLD:
        url = reverse("project-gold-wall", args=[project.slug, concept])
    else:
        url = f"{labels}?concept={concept}&state=ambiguous"
    return {"text": found.text, "url": url}


def _row(stats: Mapping[str, Any], project: Project, found: Advice | None) -> dict[str, Any]:
    cells: dict[str, Any] = {"stats": stats, "alpha": "–", "range": "", "interval": ""}
    cells["advice"] = _advice(project, stats, found)
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
