"""What is believed about a question: its state, how much an answer to it is wanted, the writing."""

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling.aggregation.information import relative_value
from labeling.models import Question

State = Question.State

FINISHED = 1 / 3  # of what was begun is brought to an end before more is begun
MODEL_ANSWER_SHIFT = 1.0  # of the prior, in log-odds, from which on the model stands for an answer
FORESEEN = 12  # answers ahead, beyond which nothing is reckoned
SLACK = 2  # a retired question opens again at so many times what retired it: doubt, or worth

_COLUMNS = {
    "prior": "float8",
    "model_probability": "float8",
    "prior_shift": "float8",
    "probability": "float8",
    "answers_count": "int",
    "yes_count": "int",
    "disagreement": "float8",
    "priority": "float8",
    "state": "text",
    "settled_at": "timestamptz",
}
_UNCHANGED = "AND q.answers_count = new.seen AND q.verdict IS NOT DISTINCT FROM new.decided"


def entropy(probability: float) -> float:
    """Of a yes or no with that probability, in bits."""
    if not 0 < probability < 1:
        return 0.0
    rest = 1 - probability
    return -probability * math.log2(probability) - rest * math.log2(rest)


def priority(question: Question) -> float:
    """How much one more answer is wanted: entropy in bits × the concept's value; 0 if not open.

    What was begun usually says little more. But labels are to settle along the way, not all at the
    end: one in three is brought to an end first, and what a reviewer asked more answers for.
    """
    if question.state != State.OPEN:
        return 0.0
    value = question.concept.value if question.concept else 1.0
    if unfinished(
        answers=question.answers_count,
        least=question.project.answers_min,
        wanted=question.answers_wanted,
        random_key=question.random_key,
    ):
        return value
    return entropy(question.probability) * value


def unfinished(*, answers: int, least: int, wanted: int, random_key: float) -> bool:
    """Whether a question is to be brought to an end, however certain it looks."""
    return answers < wanted or (0 < answers < least and random_key < FINISHED)


def answers_needed(question: Question, *, belief: float) -> int:
    """How many people must have answered before it settles at that probability.

    A model that clearly says the same stands for one of them, but never for all.
    """
    least = question.project.answers_min
    agreement = question.prior_shift if belief >= 0.5 else -question.prior_shift
    if least > 1 and agreement >= MODEL_ANSWER_SHIFT:
        least -= 1
    return max(least, question.answers_wanted)


def disagreement(*, answers: int, yes: int) -> float:
    """2 · min(yes, no) / (answers + 2): 0 where all agree."""
    return 2 * min(yes, answers - yes) / (answers + 2)


def update_state(question: Question, *, now: datetime | None = None) -> None:
    """Set disagreement, state, settled_at and priority from what is believed and was answered.

    Reads the question's project and concept. A verdict clamps the probability.
    """
    count = question.answers_count
    question.disagreement = disagreement(answers=count, yes=question.yes_count)
    if question.verdict is not None:
        question.probability = float(question.verdict)
    if question.state != State.GOLD:
        question.state = _state(question)
        if question.state != State.SETTLED:
            question.settled_at = None
        elif question.settled_at is None:
            question.settled_at = now or timezone.now()
    question.priority = priority(question)


def _state(question: Question) -> Question.State:
    project, count = question.project, question.answers_count
    if question.verdict is not None:
        return State.SETTLED
    doubt = min(question.probability, 1 - question.probability)
    bearable = (1 - project.settle_at) * (SLACK if question.state == State.SETTLED else 1)
    if count < answers_needed(question, belief=question.probability):
        return State.OPEN
    if doubt <= bearable:
        return State.SETTLED
    return State.OPEN if _worth_asking(question) else State.AMBIGUOUS


def _worth_asking(question: Question) -> bool:
    """Whether another answer is allowed, and worth what the project says that it costs.

    What comes near enough to settle, within SLACK, is taken for settled here.
    """
    project, count = question.project, question.answers_count
    if count >= project.answers_cap:
        return False
    worth = relative_value(
        question.probability,
        prior=question.prior,
        yes=question.yes_count,
        no=count - question.yes_count,
        left=min(project.answers_cap - count, FORESEEN),
        settle_at=max(1 - SLACK * (1 - project.settle_at), 0.5),
    )
    return worth >= project.answer_cost * (SLACK if question.state == State.AMBIGUOUS else 1)


def locked(ids: Iterable[int]) -> list[Question]:
    """The questions, with concept and project, locked in the order of their ids.

    Whoever changes beliefs comes through here, inside a transaction: so nobody waits in a circle.
    """
    return list(_in_order(list(ids)).select_related("concept", "project"))


def save(questions: Sequence[Question]) -> int:
    """Write what is believed about locked questions, in one statement."""
    return _write(questions, [])


def save_unchanged(
    questions: Sequence[Question], *, seen: Collection[tuple[int, bool | None]]
) -> int:
    """The same for questions that are not locked, but for those that changed meanwhile.

    `seen` holds for each the number of answers and the verdict when it was read.
    """
    with transaction.atomic():
        list(_in_order([question.pk for question in questions]).values_list("pk"))
        return _write(questions, list(seen))


def _in_order(ids: list[int]) -> QuerySet[Question]:
    rows = Question.objects.filter(pk__in=ids).order_by("pk")
    return rows.select_for_update(of=("self",), no_key=True)


def _write(questions: Sequence[Question], seen: list[tuple[int, bool | None]]) -> int:
    if not questions:
        return 0
    columns = dict(_COLUMNS)
    values: list[list[object]] = [[getattr(q, name) for q in questions] for name in columns]
    if seen:
        columns |= {"seen": "int", "decided": "bool"}
        values += [[count for count, _ in seen], [verdict for _, verdict in seen]]
    arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    assignments = ", ".join(f"{name} = new.{name}" for name in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE labeling_question q SET {assignments} "
            f"FROM unnest(%s::bigint[], {arrays}) AS new(id, {', '.join(columns)}) "
            f"WHERE q.id = new.id {_UNCHANGED if seen else ''}",
            [[q.pk for q in questions], *values],
        )
        return int(cursor.rowcount)
