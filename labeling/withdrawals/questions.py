"""Set questions to what their remaining answers give."""

from collections.abc import Mapping, Sequence

from labeling import evidence, question_posteriors, question_state
from labeling.aggregation import online
from labeling.models import Answer, Challenge, Question

State = Question.State


def restore(
    questions: Sequence[Question], *, given: Mapping[int, Answer], challenge: Challenge
) -> None:
    """Set locked questions, whose answers were just deleted, to what they were before, and save.

    given: the deleted answer of each, by id. One that nothing else has changed since is exactly as
    it was; another is what the other answers alone give.
    """
    states = dict(zip(challenge.questions, challenge.states_before, strict=False))
    posteriors = dict(zip(challenge.questions, challenge.posteriors_after, strict=False))
    counts = question_posteriors.count_answers([question.pk for question in questions])
    ratios = evidence.by_question(questions)
    changed = []
    for question in questions:
        answer, state = given[question.pk], states.get(question.pk, "")
        remaining = question.answers_count - 1, question.yes_count - answer.value
        unchanged = (
            question.probability == posteriors.get(question.pk)
            and counts.get(question.pk, (0, 0)) == remaining
            and (question.verdict is None or question.state == state)
        )
        if unchanged and answer.probability_before is not None:
            question.probability = answer.probability_before
            question.answers_count, question.yes_count = remaining
            question.answers_weight = online.answers_weight(ratios.get(question.pk, []))
            _set_state(question, state, answer)
            question.disagreement = question_state.disagreement(
                answers=question.answers_count, yes=question.yes_count
            )
            question.priority = question_state.priority(question)
        else:
            _set_state(question, state, answer)
            changed.append(question)
    question_posteriors.recompute_locked(changed)
    question_state.save(questions)


def recompute(questions: Sequence[Question], *, given: Mapping[int, Answer]) -> None:
    """Set locked questions, whose answers were just deleted, to what the others give, and save.

    given: the deleted answer of each, by id. What one of these settled is open to begin with, so
    that a closed question is not kept closed by having been closed.
    """
    for question in questions:
        answer = given[question.pk]
        early = question.settled_at is not None and question.settled_at < answer.created_at
        _set_state(question, State.SETTLED if early else State.OPEN, answer)
    question_posteriors.recompute_locked(questions)
    question_state.save(questions)


def _set_state(question: Question, state: str, answer: Answer) -> None:
    """Set the state from before an answer; what it settled has no time of settling any more."""
    if question.state == State.GOLD or state == State.GOLD or not state:
        return
    question.state = state
    if state != State.SETTLED or (
        question.settled_at is not None and question.settled_at == answer.created_at
    ):
        question.settled_at = None
    elif question.settled_at is None:
        question.settled_at = answer.created_at  # it was settled at an unknown time before
