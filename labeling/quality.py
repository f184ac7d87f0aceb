"""How good the labels are: agreement and calibration, measured now and then, and kept.

Calibration by gold takes what would be believed of a question if its gold were unknown. That by
the random slice takes questions that were drawn without regard to what is believed of them, and
what was believed just before each such answer: nothing of the answer is in what it tests, nor in
whether it was asked for. Settled questions are not drawn any more, so it speaks of open ones.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from labeling import agreement
from labeling.aggregation import online
from labeling.aggregation.calibration import AnnotatorAccuracies, Calibration, by_answers, by_truth
from labeling.models import Annotator, Answer, Project, QualityReport, Question

NEWEST = 20_000  # answers of the random slice that are looked at
APART = timedelta(hours=1)  # of rows that are kept, but for the newest
POINTS = 200  # of a history

_FIGURES = "answers", "compared", "alpha", "low", "high", "percent", "prevalence"


@dataclass(frozen=True)
class Point:
    """What the history tells of one time."""

    at: datetime
    compared: int
    alpha: float | None
    low: float | None
    high: float | None
    gold_n: int | None
    gold_error: float | None  # expected calibration error
    random_n: int | None
    random_error: float | None


def take(*, project: Project, leave_one_out: Mapping[int, float]) -> QualityReport | None:
    """Measure the project and keep the row; None if all is as it was the last time.

    `leave_one_out` holds for gold questions, by id, the probability of yes as if their gold were
    unknown.
    Of the rows before, those are kept that are an hour apart.
    """
    found = agreement.measure(project=project)
    row: dict[str, Any] = {name: getattr(found.whole, name) for name in _FIGURES}
    row["concepts"] = [
        {"concept": each.concept.pk, "name": each.concept.name}
        | {name: getattr(each, name) for name in _FIGURES}
        for each in found.concepts
        if each.concept
    ]
    row["gold"] = _as_json(by_gold(project=project, leave_one_out=leave_one_out))
    row["random"] = _as_json(by_random(project=project))
    with transaction.atomic():
        rows = list(QualityReport.objects.filter(project=project)[:2])
        if rows and all(getattr(rows[0], name) == value for name, value in row.items()):
            return None
        if len(rows) == 2 and rows[0].measured_at - rows[1].measured_at < APART:
            rows[0].delete()
        return QualityReport.objects.create(project=project, measured_at=timezone.now(), **row)


def by_gold(*, project: Project, leave_one_out: Mapping[int, float]) -> Calibration | None:
    """How often leave-one-out posteriors are right, by the project's gold."""
    gold = Question.objects.filter(project=project, state=Question.State.GOLD).order_by("pk")
    known = [
        (leave_one_out[pk], verdict)
        for pk, verdict in gold.values_list("pk", "verdict").iterator()
        if pk in leave_one_out
    ]
    probability, truth = zip(*known, strict=True) if known else ((), ())
    return by_truth(probability, truth)


def by_random(*, project: Project) -> Calibration | None:
    """How often what was believed is right, by the newest answers to questions drawn at random."""
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
    believed, value, annotator, question = zip(*rows, strict=True)
    annotators, place = np.unique(annotator, return_inverse=True)
    return by_answers(believed, value, place, _coins(annotators.tolist()), question=question)


def latest(*, project: Project) -> QualityReport | None:
    """The newest row."""
    return QualityReport.objects.filter(project=project).first()


def history(*, project: Project) -> list[Point]:
    """From the oldest to the newest row, at most some two hundred of them."""
    rows = QualityReport.objects.filter(project=project).order_by("measured_at")
    points = [
        Point(*values)
        for values in rows.values_list(
            *("measured_at", "compared", "alpha", "low", "high"),
            *("gold__whole__n", "gold__ece", "random__whole__n", "random__ece"),
        )
    ]
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), POINTS)).round().astype(int))
    return [points[place] for place in kept]


def _coins(annotators: list[int]) -> AnnotatorAccuracies:
    """What is believed of the annotators, in the order of their ids."""
    counts = [
        online.ConfusionCounts(*four)
        for four in Annotator.objects.filter(pk__in=annotators)
        .order_by("pk")
        .values_list("true_positives", "false_negatives", "true_negatives", "false_positives")
    ]
    beforehand = online.PRIOR_RIGHT + online.PRIOR_WRONG
    return AnnotatorAccuracies(
        sensitivity=np.array([each.sensitivity for each in counts]),
        specificity=np.array([each.specificity for each in counts]),
        positives=np.array([each.tp + each.fn + beforehand for each in counts]),
        negatives=np.array([each.tn + each.fp + beforehand for each in counts]),
    )


def _as_json(calibration: Calibration | None) -> dict[str, Any] | None:
    """As it will be read back."""
    if calibration is None:
        return None
    read: dict[str, Any] = json.loads(json.dumps(asdict(calibration)))
    return read
