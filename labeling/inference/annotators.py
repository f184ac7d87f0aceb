"""What all answers show about those who gave them, written a few annotators at a time."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from labeling import answers
from labeling.aggregation import drift, online
from labeling.inference.arrays import Asked, Floats, Found, Given
from labeling.models import Annotator, Answer, Project, Recomputation

_COLUMNS = {
    "true_positives": "float8",
    "false_negatives": "float8",
    "true_negatives": "float8",
    "false_positives": "float8",
    "reliability": "float8",
    "answers_count": "int",
    "gold_count": "int",
    "gold_right": "int",
    "drift_score": "float8",
    "suspect_since": "timestamptz",
    "suspect_from": "bigint",
    "suspect_to": "bigint",
}

# What annotators did in other projects: answers, known ones, right ones, expected counts.
_ELSEWHERE = """
SELECT annotator_id, count(*), count(verdict), count(*) FILTER (WHERE verdict = value),
    coalesce(sum(p) FILTER (WHERE value), 0), coalesce(sum(p) FILTER (WHERE NOT value), 0),
    coalesce(sum(1 - p) FILTER (WHERE NOT value), 0), coalesce(sum(1 - p) FILTER (WHERE value), 0)
FROM (
    SELECT annotator_id, value, verdict, probability AS p
    FROM labeling_answer AS answer JOIN labeling_question AS question ON question.id = question_id
    WHERE project_id <> %s AND answer.id <= %s AND annotator_id = ANY(%s)
) AS said
GROUP BY annotator_id
"""

Figures = dict[int, list[float]]  # by annotator: answers, gold, right, tp, fn, tn, fp, suspect


def update_accuracies(
    asked: Asked, given: Given, found: Found, *, newest: int, recomputation: Recomputation
) -> None:
    """Set what is known of each annotator; what they answered since `newest` comes on top."""
    figures = _figures(asked, given, found)
    several = Project.objects.exclude(pk=recomputation.project.pk).exists()
    for start in range(0, len(given.annotators), answers.BATCH):
        batch = given.annotators[start : start + answers.BATCH].tolist()
        theirs = dict(zip(batch, figures[start : start + answers.BATCH].tolist(), strict=True))
        if several:
            _add_elsewhere(theirs, recomputation.project, newest)
        _write(theirs, found.turned, newest)
        recomputation.renew()


def _figures(asked: Asked, given: Given, found: Found) -> Floats:
    """(W, 8) answers, gold, right, tp, fn, tn, fp: such counts that the coins are those found.

    Last, how often those of their answers were right that were suspect: by what others say, since
    these answers took no part in what was found.
    """
    size = len(given.annotators)

    def total(weights: Floats) -> Floats:
        sums: Floats = np.bincount(given.annotator, weights, size).astype(np.float64)
        return sums

    verdict = asked.verdict[given.question]
    inferred = found.inferred
    yes = inferred.probability[given.question]
    counts = []
    for coin, chance in ((inferred.sensitivity, yes), (inferred.specificity, 1 - yes)):
        shown = total(np.where(inferred.suspect, 0.0, chance))
        hits = coin * (shown + online.PRIOR_RIGHT + online.PRIOR_WRONG) - online.PRIOR_RIGHT
        hits = np.nan_to_num(hits).clip(0, shown)
        counts += [hits, shown - hits]
    tallies = [
        total(np.ones(len(given.id))),
        total((verdict >= 0).astype(np.float64)),
        total((verdict == given.value).astype(np.float64)),
    ]
    right = np.where(given.value, yes, 1 - yes)
    guesses = total(np.where(inferred.suspect, right - drift.GUESSING, 0.0))
    guesses = drift.GUESSING + guesses / (
        total(inferred.suspect.astype(np.float64)) + drift.PRIOR_ANSWERS
    )
    return np.stack([*tallies, *counts, guesses], 1)


def _add_elsewhere(figures: Figures, project: Project, newest: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ELSEWHERE, [project.pk, newest, list(figures)])
        for annotator, *more in cursor:
            *sums, guesses = figures[annotator]
            figures[annotator] = [*(a + b for a, b in zip(sums, more, strict=True)), guesses]


def _write(figures: Figures, turned: dict[int, int], newest: int) -> None:
    with transaction.atomic():
        held = list(
            Annotator.objects.filter(pk__in=figures).order_by("pk").select_for_update(no_key=True)
        )
        late: dict[int, list[tuple[bool, bool | None, float]]] = defaultdict(list)
        since = Answer.objects.filter(annotator__in=figures, pk__gt=newest).order_by("pk")
        columns = "annotator", "value", "question__verdict", "question__probability"
        for pk, value, verdict, probability in since.values_list(*columns):
            late[pk].append((value, verdict, probability))
        for annotator in held:
            count, gold, right, *counts, guesses = figures[annotator.pk]
            answers.set_counts(annotator, online.forget(online.ConfusionCounts(*counts)))
            annotator.answers_count, annotator.gold_count = int(count), int(gold)
            annotator.gold_right = int(right)
            for value, verdict, probability in late[annotator.pk]:
                _add(annotator, value, verdict, probability)
            if annotator.pk in turned and annotator.suspect_from is None:
                annotator.drift_score, annotator.suspect_since = drift.THRESHOLD, timezone.now()
                annotator.suspect_from, annotator.suspect_to = turned[annotator.pk], None
            if annotator.suspect and guesses >= drift.REINSTATED:
                annotator.drift_score, annotator.suspect_since = 0.0, None
                annotator.suspect_from = annotator.suspect_to = None
            elif annotator.suspect:
                annotator.reliability = guesses
        _save(held)


def _add(annotator: Annotator, value: bool, verdict: bool | None, probability: float) -> None:
    """An answer that came while all was recomputed."""
    annotator.answers_count += 1
    annotator.gold_count += verdict is not None
    annotator.gold_right += verdict == value
    if not annotator.suspect:
        counts = online.update_counts(answers.counts_of(annotator), value, probability)
        answers.set_counts(annotator, counts)


def _save(annotators: Sequence[Annotator]) -> None:
    arrays = ", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())
    assignments = ", ".join(f"{name} = new.{name}" for name in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE labeling_annotator a SET {assignments} "
            f"FROM unnest(%s::bigint[], {arrays}) AS new(id, {', '.join(_COLUMNS)}) "
            "WHERE a.id = new.id",
            [[a.pk for a in annotators]]
            + [[getattr(a, name) for a in annotators] for name in _COLUMNS],
        )
