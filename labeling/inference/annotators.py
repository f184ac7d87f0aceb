"""Update what is known of annotators by all their answers, a hundred annotators at a time."""

from collections import defaultdict

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from labeling import bulk_update
from labeling.aggregation import drift, online
from labeling.aggregation.binary import BinaryAggregate, confusion_counts
from labeling.batches import batched
from labeling.inference.arrays import AnswerArrays, Bools, Floats, QuestionArrays
from labeling.models import (
    Annotator,
    Answer,
    Challenge,
    Project,
    Recomputation,
    RemovedAnswer,
    Withdrawal,
)
from labeling.models.answers import TRUSTED

BATCH = 100  # annotators locked at once

_COLUMNS = (
    *Annotator.COUNTS,
    "reliability",
    "answers_count",
    "gold_count",
    "gold_right",
    "drift_score",
    "suspect_since",
)

# By annotator, in other projects: answers, those of known truth, right ones, and the expected
# counts of those that weigh anything.
_ELSEWHERE = f"""
SELECT annotator_id, count(*), count(verdict), count(*) FILTER (WHERE verdict = value),
    coalesce(sum(p) FILTER (WHERE trusted AND value), 0),
    coalesce(sum(p) FILTER (WHERE trusted AND NOT value), 0),
    coalesce(sum(1 - p) FILTER (WHERE trusted AND NOT value), 0),
    coalesce(sum(1 - p) FILTER (WHERE trusted AND value), 0)
FROM (
    SELECT annotator_id, value, verdict, probability AS p, {TRUSTED} AS trusted
    FROM labeling_answer AS answer
    JOIN labeling_question AS question ON question.id = question_id
    JOIN labeling_annotator AS annotator ON annotator.id = annotator_id
    WHERE project_id <> %s AND answer.id <= %s AND annotator_id = ANY(%s)
) AS answer
GROUP BY annotator_id
"""

# By annotator id: answers, gold answers, right ones, tp, fn, tn, fp, accuracy while suspect.
Tallies = dict[int, list[float]]


def update_accuracies(
    questions: QuestionArrays,
    answers: AnswerArrays,
    aggregate: BinaryAggregate,
    *,
    newest: int,
    recomputation: Recomputation,
) -> None:
    """Update each annotator; answers with an id above `newest` are added to what is inferred."""
    tallies = dict(
        zip(
            answers.annotators.tolist(),
            _tallies(questions, answers, aggregate).tolist(),
            strict=True,
        )
    )
    change_points, earlier = (
        {
            int(answers.annotators[annotator]): int(answers.id[answer])
            for annotator, answer in found.items()
        }
        for found in (aggregate.change_points, aggregate.earlier)
    )
    if change_points or earlier:  # what they are believed changes what their answers weigh
        recomputation.renew(requested=True)
    several_projects = Project.objects.exclude(pk=recomputation.project.pk).exists()
    for ids in batched(tallies, BATCH):
        batch = {pk: tallies[pk] for pk in ids}
        if several_projects:
            _add_other_projects(batch, recomputation.project, newest)
        with transaction.atomic():  # whoever lost the lease writes nothing
            _write(batch, change_points, earlier, newest)
            recomputation.renew()


def update_without_answers(*, newest: int, recomputation: Recomputation) -> None:
    """Update the annotators whose answers in the project are all gone: they count nothing.

    Their answers were archived with their pictures, or taken back.
    """
    project = recomputation.project
    here = Answer.objects.filter(annotator=OuterRef("annotator"), question__project=project)
    gone = [
        RemovedAnswer.objects.filter(project=project, annotator__isnull=False),
        Challenge.objects.filter(project=project, undos__gt=0),
        Withdrawal.objects.filter(project=project, annotator__isnull=False),
    ]
    ids: set[int] = set()
    for rows in gone:
        ids.update(rows.exclude(Exists(here)).order_by().values_list("annotator", flat=True))
    for batch in batched(sorted(ids), BATCH):
        tallies = {pk: [0.0] * 7 + [drift.GUESSING] for pk in batch}
        _add_other_projects(tallies, project, newest)
        with transaction.atomic():  # whoever lost the lease writes nothing
            _write(tallies, {}, {}, newest)
            recomputation.renew()


def _tallies(
    questions: QuestionArrays, answers: AnswerArrays, aggregate: BinaryAggregate
) -> Floats:
    """Return (W, 8) the tallies of each annotator."""
    size = len(answers.annotators)

    def total(weights: Floats) -> Floats:
        sums: Floats = np.bincount(answers.annotator, weights, size).astype(np.float64)
        return sums

    verdict = questions.verdict[answers.question]
    yes = aggregate.probability[answers.question]
    counts = confusion_counts(aggregate, answers.question, answers.annotator, answers.value)
    right = np.where(answers.value, yes, 1 - yes)
    return np.stack(
        [
            total(np.ones(len(answers.id))),
            total((verdict >= 0).astype(np.float64)),
            total((verdict == answers.value).astype(np.float64)),
            *counts.T,
            _suspect_accuracy(questions, answers, aggregate, right),
        ],
        1,
    )


def _suspect_accuracy(
    questions: QuestionArrays, answers: AnswerArrays, aggregate: BinaryAggregate, right: Floats
) -> Floats:
    """Return (W,) the accuracy of each annotator's newest answers, as far as they are suspect.

    Only the spell that goes on is judged, not earlier ones; by what others say, since these
    answers took no part in the inference. Where there are few, it is near that of guessing. It is
    that of all, or of those to questions of unknown truth if it is worse: who knows what is known
    is not cleared by being right about it.
    """
    size = len(answers.annotators)
    newest_trusted = np.full(size, -1)
    trusted = np.flatnonzero(~aggregate.suspect)
    np.maximum.at(newest_trusted, answers.annotator[trusted], trusted)
    current = np.arange(len(answers.id)) > newest_trusted[answers.annotator]
    known = answers.check | (questions.verdict[answers.question] >= 0)

    def accuracy(which: Bools, expected: Floats | float) -> Floats:
        hits = np.bincount(answers.annotator, np.where(which, right, 0.0), size)
        count = np.bincount(answers.annotator, which, size)
        mean: Floats = (hits + drift.PRIOR_ANSWERS * expected) / (count + drift.PRIOR_ANSWERS)
        return mean

    of_all = accuracy(current, drift.GUESSING)
    return np.minimum(of_all, accuracy(current & ~known, of_all))


def _add_other_projects(tallies: Tallies, project: Project, newest: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ELSEWHERE, [project.pk, newest, list(tallies)])
        for annotator, *elsewhere in cursor:
            *sums, suspect_accuracy = tallies[annotator]
            added = [a + b for a, b in zip(sums, elsewhere, strict=True)]
            tallies[annotator] = [*added, suspect_accuracy]


def _write(
    tallies: Tallies, change_points: dict[int, int], earlier: dict[int, int], newest: int
) -> None:
    """Write a batch of annotators.

    change_points: first bad answer by annotator, by their ids. earlier: the same before their
    newest suspect spell.
    """
    with transaction.atomic():
        annotators = Annotator.objects.filter(pk__in=tallies).order_by("pk")
        locked = list(annotators.select_for_update(no_key=True))
        later = _answers_since(newest, list(tallies))
        for annotator in locked:
            *sums, suspect_accuracy = tallies[annotator.pk]
            _set_tallies(annotator, sums)
            for value, verdict, probability in later[annotator.pk]:
                _add_answer(annotator, value, verdict, probability)
            if annotator.pk in earlier:
                annotator.extend_suspect_spell(start=earlier[annotator.pk])
            _set_suspect(annotator, change_points.get(annotator.pk), suspect_accuracy)
        bulk_update.update(locked, _COLUMNS)


def _answers_since(
    newest: int, annotators: list[int]
) -> dict[int, list[tuple[bool, bool | None, float]]]:
    """Return (value, verdict, probability) of the later answers by annotator id, in order."""
    later: dict[int, list[tuple[bool, bool | None, float]]] = defaultdict(list)
    rows = Answer.objects.filter(annotator__in=annotators, pk__gt=newest).order_by("pk")
    columns = "annotator", "value", "question__verdict", "question__probability"
    for annotator, value, verdict, probability in rows.values_list(*columns):
        later[annotator].append((value, verdict, probability))
    return later


def _set_tallies(annotator: Annotator, sums: list[float]) -> None:
    answers, gold, right, *counts = sums
    annotator.confusion_counts = online.forget(online.ConfusionCounts(*counts))
    annotator.answers_count, annotator.gold_count = int(answers), int(gold)
    annotator.gold_right = int(right)


def _add_answer(
    annotator: Annotator, value: bool, verdict: bool | None, probability: float
) -> None:
    annotator.answers_count += 1
    annotator.gold_count += verdict is not None
    annotator.gold_right += verdict == value
    if not annotator.suspect:
        counts = annotator.confusion_counts
        annotator.confusion_counts = online.update_counts(counts, value, probability)


def _set_suspect(annotator: Annotator, change_point: int | None, accuracy: float) -> None:
    """Suspect an annotator from the change point on; clear one whose suspicion was wrong.

    accuracy: that of their answers since the current spell began.
    """
    now = timezone.now()
    if change_point is not None and not annotator.suspect:
        annotator.start_suspect_spell(start=change_point, now=now)
        annotator.drift_score = drift.THRESHOLD
    if annotator.suspect and accuracy >= drift.REINSTATED:
        annotator.clear_suspect_spell()
        annotator.drift_score = 0.0
    elif annotator.suspect:
        annotator.reliability = accuracy
