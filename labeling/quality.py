"""How good the labels are: measured by each recomputation, and kept.

It is agreement, calibration, and how often labels are right (`labeling.label_accuracy`).

Calibration by gold tests leave-one-out posteriors, each as if the question's own gold were unknown.
Calibration by the random slice tests the probability just before each answer to a question that was
drawn at random, so that the answer is neither part of what it tests nor asked for because of it.
Settled questions are not drawn any more: it speaks of open ones.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from labeling import agreement, label_accuracy
from labeling.aggregation.calibration import Calibration, by_answers, by_truth
from labeling.models import Answer, Project, QualityReport, Question

NEWEST = 20_000  # answers of the random slice that are tested
APART = timedelta(hours=1)  # between reports that are kept, but for the newest
POINTS = 200  # of a history, at most

_AGREEMENT_FIELDS = "answers", "compared", "alpha", "low", "high", "percent", "prevalence"


@dataclass(frozen=True)
class Point:
    """One report in the history."""

    at: datetime
    compared: int
    alpha: float | None
    low: float | None
    high: float | None
    gold_n: int | None
    gold_error: float | None  # expected calibration error
    random_n: int | None
    random_error: float | None


def measure(*, project: Project, leave_one_out: Mapping[int, float]) -> QualityReport | None:
    """Measure a project and keep the report; return None if nothing changed since the last one.

    leave_one_out: by gold question id, the posterior of yes as if its gold were unknown.
    Earlier reports are thinned out to one an hour.
    """
    measured = agreement.measure(project=project)
    row: dict[str, Any] = {name: getattr(measured.whole, name) for name in _AGREEMENT_FIELDS}
    row["concepts"] = [
        {"concept": each.concept.pk, "name": each.concept.name}
        | {name: getattr(each, name) for name in _AGREEMENT_FIELDS}
        for each in measured.concepts
        if each.concept
    ]
    row["gold"] = _as_json(by_gold(project=project, leave_one_out=leave_one_out))
    row["random"] = _as_json(by_random(project=project))
    row["accuracy"] = label_accuracy.measure(project)
    with transaction.atomic():
        rows = list(QualityReport.objects.filter(project=project)[:2])
        if rows and all(getattr(rows[0], name) == value for name, value in row.items()):
            return None
        if len(rows) == 2 and rows[0].measured_at - rows[1].measured_at < APART:
            rows[0].delete()
        return QualityReport.objects.create(project=project, measured_at=timezone.now(), **row)


def by_gold(*, project: Project, leave_one_out: Mapping[int, float]) -> Calibration | None:
    """Return the calibration of leave-one-out posteriors by gold; None without answered gold."""
    gold = Question.objects.filter(project=project, state=Question.State.GOLD).order_by("pk")
    known = [
        (leave_one_out[pk], verdict)
        for pk, verdict in gold.values_list("pk", "verdict").iterator()
        if pk in leave_one_out
    ]
    probability, truth = zip(*known, strict=True) if known else ((), ())
    return by_truth(probability, truth)


def by_random(*, project: Project) -> Calibration | None:
    """Return the calibration of probabilities by the newest trusted answers of the random slice."""
    drawn = (
        Answer.objects.trusted()
        .filter(
            reason=Answer.Reason.RANDOM,
            question__project=project,
            probability_before__gt=0,
            probability_before__lt=1,
        )
        .order_by("-pk")
    )
    rows = list(
        drawn.values_list("probability_before", "value", "annotator_id", "question_id")[:NEWEST]
    )
    if not rows:
        return None
    probability, value, annotator, question = zip(*rows, strict=True)
    annotators, index = np.unique(annotator, return_inverse=True)
    accuracies = label_accuracy.annotator_accuracies(annotators.tolist())
    return by_answers(probability, value, index, accuracies, question=question)


def latest(*, project: Project) -> QualityReport | None:
    """Return the newest report."""
    return QualityReport.objects.filter(project=project).first()


def accuracy(*, project: Project) -> dict[str, Any] | None:
    """Return how often labels were right by the newest report: a `label_accuracy.Row`."""
    reports = QualityReport.objects.filter(project=project)
    measured: dict[str, Any] | None = reports.values_list("accuracy__whole", flat=True).first()
    return measured


def history(*, project: Project) -> list[Point]:
    """Return reports from the oldest to the newest, at most POINTS spread evenly over them."""
    rows = QualityReport.objects.filter(project=project).order_by("measured_at")
    points = [
        Point(*values)
        for values in rows.values_list(
            *("measured_at", "compared", "alpha", "low", "high"),
            *("gold__whole__n", "gold__ece", "random__whole__n", "random__ece"),
        )
    ]
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), POINTS)).round().astype(int))
    return [points[index] for index in kept]


def _as_json(calibration: Calibration | None) -> dict[str, Any] | None:
    """Return the calibration as it will be read back from a JSON column."""
    if calibration is None:
        return None
    stored: dict[str, Any] = json.loads(json.dumps(asdict(calibration)))
    return stored
