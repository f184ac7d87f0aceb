"""Take the answers of an import back: they are archived, and count for nothing."""

from collections.abc import Collection, Sequence

from django.db import transaction

from labeling import question_posteriors, question_state, removal, snapshot_marks
from labeling.aggregation.online import ConfusionCounts
from labeling.models import Annotator, Answer, Import, Question

BATCH = 1_000  # answers in a transaction
State = Question.State


def take_back(record: Import) -> int:
    """Archive the next answers that an import brought; return how many: 0 where none is left.

    Questions and the annotator follow. Locks are taken in the order of an answer.
    """
    rows = record.answers.order_by("annotator", "question")
    first = rows.values_list("annotator", flat=True).first()
    if first is None:
        return 0
    batch = list(rows.filter(annotator=first).values_list("question", flat=True)[:BATCH])
    with transaction.atomic():
        annotator = Annotator.objects.lock(first)
        locked = question_state.lock(batch)
        given = {
            answer.question_id: answer
            for answer in record.answers.filter(annotator=annotator, question__in=batch)
        }
        removal.archive_answers([answer.pk for answer in given.values()], undone=record)
        concerned = [question for question in locked if question.pk in given]
        _subtract(annotator, concerned, given)
        for question in concerned:
            if question.settled_at and question.settled_at >= given[question.pk].created_at:
                _reopen(question)
        question_posteriors.recompute_locked(concerned)
        question_state.save(concerned)
        gone = [(given[q.pk].pk, q.source == Question.Source.MODEL) for q in concerned]
        snapshot_marks.mark(record.project_id, answers=gone)
    return len(given)


def _reopen(question: Question) -> None:
    """Let a question that was settled since be open to begin with."""
    if question.state != State.GOLD:
        question.state, question.settled_at = State.OPEN, None


def _subtract(
    annotator: Annotator, questions: Sequence[Question], given: dict[int, Answer]
) -> None:
    """Subtract archived answers from a locked annotator's counts, and save.

    What they showed of the annotator is inferred again by the next recomputation; of somebody
    without any answer, nothing is known at once.
    """
    known = [question for question in questions if question.verdict is not None]
    right = sum(question.verdict == given[question.pk].value for question in known)
    annotator.answers_count = max(0, annotator.answers_count - len(given))
    annotator.gold_count = max(0, annotator.gold_count - len(known))
    annotator.gold_right = max(0, annotator.gold_right - right)
    if not _has_answers(annotator, given):
        annotator.answers_count = annotator.gold_count = annotator.gold_right = 0
        annotator.labels_count, annotator.drift_score = 0, 0.0
        annotator.confusion_counts = ConfusionCounts()
        annotator.clear_suspect_spell()
    annotator.save()


def _has_answers(annotator: Annotator, gone: Collection[int]) -> bool:
    return Answer.objects.filter(annotator=annotator).exclude(question__in=gone).exists()
