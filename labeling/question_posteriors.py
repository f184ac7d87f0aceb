"""Recompute the posteriors of a few questions from their stored answers."""

from collections.abc import Iterable, Sequence

from django.db import transaction

from labeling import evidence, prepared, question_state
from labeling.aggregation import online
from labeling.batches import batched
from labeling.models import Question
from labeling.models.answers import COUNTED

_COUNTS = f"""
SELECT question_id, count(*), count(*) FILTER (WHERE value)
FROM labeling_answer AS answer JOIN labeling_annotator AS annotator ON annotator.id = annotator_id
WHERE question_id = ANY(%s::bigint[]) AND {COUNTED} GROUP BY question_id
"""


def recompute(ids: Iterable[int]) -> int:
    """Recompute questions, a batch at a time; return how many labels or states changed."""
    changed = 0
    for batch in batched(sorted(ids), question_state.BATCH):
        with transaction.atomic():
            questions = question_state.lock(batch)
            changed += recompute_locked(questions)
            question_state.save(questions)
    return changed


def recompute_locked(questions: Sequence[Question]) -> int:
    """Recompute locked questions, still to be saved; return how many labels or states changed."""
    counts = count_answers([question.pk for question in questions])
    ratios, temperings = evidence.by_question(questions), evidence.temperings(questions)
    changed = 0
    for question in questions:
        before = question.label, question.state
        ratio = ratios.get(question.pk, [])
        tempering = temperings[question.project_id]
        question.probability = online.tempered_posterior(question.prior, ratio, tempering)
        question.answers_weight = online.answers_weight(ratio)
        question.answers_count, question.yes_count = counts.get(question.pk, (0, 0))
        question_state.update_state(question)
        changed += (question.label, question.state) != before
    return changed


def count_answers(questions: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return (answers, yes) by question id that has any, without blocked annotators."""
    rows = prepared.fetch(_COUNTS, [list(questions)])
    return {question: (answers, yes) for question, answers, yes in rows}
