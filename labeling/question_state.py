"""A question's state and priority, by its posterior and answers; locking and writing questions."""

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from django.db.models import Model
from django.utils import timezone

from labeling import bulk_update, prepared
from labeling.aggregation import online
from labeling.aggregation.information import relative_value
from labeling.models import Concept, Project, Question

State = Question.State
M = TypeVar("M", bound=Model)

BATCH = 100  # questions locked at once by whoever changes many: some thirty milliseconds
FINISH_SHARE = 1 / 3  # of the questions with too few answers are finished before new ones begin
MODEL_ANSWER_SHIFT = 1.0  # of the prior, in log-odds, from which on the model stands for an answer
LOOKAHEAD = 12  # answers foreseen at most
ROUNDING = 0.25  # of an answer may lack where the weight of answers is compared with a number
PEOPLE_PER_ANSWER = 3  # who are asked at most, where theirs weigh little
ASKED_ANYWAY = 0.05  # share of what other concepts rule out that people are asked all the same
HYSTERESIS = 2  # a closed question reopens at so many times the uncertainty, or worth, of closing

_COLUMNS = (
    "stated",
    "prior",
    "model_probability",
    "prior_shift",
    "exclusion_shift",
    "excluded",
    "probability",
    "answers_count",
    "yes_count",
    "answers_weight",
    "disagreement",
    "priority",
    "state",
    "settled_at",
)


def lock(ids: Iterable[int]) -> list[Question]:
    """Lock questions in the order of their ids; return them with concept and project.

    Whoever changes questions comes through here, inside a transaction, and locks no annotator
    afterwards and no question with a smaller id: so no two transactions deadlock.
    """
    condition = "WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"
    questions = prepared.objects(Question, condition, [list(ids)])
    projects = _by_id(Project, {question.project_id for question in questions})
    concepts = _by_id(Concept, {question.concept_id for question in questions} - {None})
    for question in questions:
        question.project = projects[question.project_id]
        question.concept = concepts[question.concept_id] if question.concept_id else None
    return questions


def save(questions: Sequence[Question]) -> int:
    """Write the state of locked questions in one statement; return how many there were."""
    return bulk_update.update(questions, _COLUMNS)


def save_stated(questions: Sequence[Question]) -> int:
    """Write the state of locked captions, and where they come from; return how many there were."""
    return bulk_update.update(questions, (*_COLUMNS, "text_source"))


def save_decided(questions: Sequence[Question]) -> int:
    """Write the state of locked questions, and what was decided; return how many there were."""
    return bulk_update.update(questions, (*_COLUMNS, "verdict", "decided_by", "answers_wanted"))


def update_state(question: Question, *, now: datetime | None = None) -> None:
    """Set disagreement, state, settled_at and priority by the posterior and the answer counts.

    Reads the question's project and concept. A verdict clamps the probability to 0 or 1.
    """
    question.disagreement = disagreement(answers=question.answers_count, yes=question.yes_count)
    if question.verdict is not None:
        question.probability = float(question.verdict)
    if question.state != State.GOLD:
        question.state = _state(question)
        if question.state != State.SETTLED:
            question.settled_at = None
        elif question.settled_at is None:
            question.settled_at = now or timezone.now()
    question.priority = priority(question)


def shift_prior(question: Question, change: float) -> None:
    """Shift a question's prior and posterior by so many log-odds; the question is to be saved."""
    question.prior = online.probability(online.log_odds(question.prior) + change)
    if question.verdict is None:
        question.probability = online.probability(online.log_odds(question.probability) + change)
        update_state(question)


def exclude(question: Question, *, shift: float, excluded: bool) -> None:
    """Set what answers about other concepts of its picture say; the question is to be saved.

    shift: the log-odds that they add. excluded: whether one that rules it out is settled.
    """
    change, question.exclusion_shift = shift - question.exclusion_shift, shift
    question.excluded = excluded
    shift_prior(question, change)


def priority(question: Question) -> float:
    """Return how much one more answer is wanted: entropy in bits × the concept's value.

    It is 0 unless the question is open. By entropy alone, questions with a first answer would wait
    behind new ones and all labels settle at the end; so a third of them is finished first, and so
    is what a reviewer reopened.
    """
    if question.state != State.OPEN:
        return 0.0
    value = question.concept.value if question.concept else 1.0
    if is_unfinished(
        answers_count=question.answers_count,
        answers_min=question.project.answers_min,
        answers_wanted=question.answers_wanted,
        random_key=question.random_key,
        may_be_excluded=may_be_excluded(question),
    ):
        return value
    return entropy(question.probability) * value


def is_unfinished(
    *,
    answers_count: int,
    answers_min: int,
    answers_wanted: int,
    random_key: float,
    may_be_excluded: bool = False,
) -> bool:
    """Whether a question is to be finished first, however certain it looks.

    may_be_excluded: it may settle without further answers, by those to other questions.
    """
    begun = 0 < answers_count < answers_min and random_key < FINISH_SHARE and not may_be_excluded
    return begun or answers_count < answers_wanted


def may_be_excluded(question: Question) -> bool:
    """Whether it looks false, and may be ruled out by another concept of its picture."""
    concept = question.concept
    grouped = concept is not None and concept.exclusive and question.grid == 1
    return grouped and question.probability < 0.5


def answers_needed(question: Question, *, probability: float) -> int:
    """Return how many answers it must have before it settles at that probability.

    They are counted by their weight (`online.answers_weight`). A model that clearly agrees, or
    what people say of other concepts of the picture, stands for one of them, but never for all.
    """
    least = question.project.answers_min
    shift = question.prior_shift + question.exclusion_shift
    agreement = shift if probability >= 0.5 else -shift
    if least > 1 and agreement >= MODEL_ANSWER_SHIFT:
        least -= 1
    return least


def has_enough(question: Question, *, probability: float) -> bool:
    """Whether its answers suffice to settle at that probability."""
    needed = answers_needed(question, probability=probability)
    return (
        question.answers_weight >= needed - ROUNDING
        and question.answers_count >= question.answers_wanted
    )


def is_ruled_out(question: Question) -> bool:
    """Whether it settles as false by what is settled of another concept of its picture.

    A small share is asked about all the same, drawn by lot: so it is noticed where two concepts
    rule each other out no more.
    """
    slack = HYSTERESIS if question.state == State.SETTLED else 1
    return (
        question.excluded
        and question.random_key >= ASKED_ANYWAY
        and question.answers_count >= question.answers_wanted
        and question.probability <= (1 - question.project.settle_at) * slack
    )


def is_at_cap(question: Question, *, extra: int = 0) -> bool:
    """Whether the project allows no more answers than it has, or so many extra.

    Answers that weigh little fill the cap little: else bots could have questions given up. But no
    more than PEOPLE_PER_ANSWER times as many people are asked.
    """
    cap = max(question.project.answers_cap, question.answers_wanted) + extra
    return (
        question.answers_weight >= cap - ROUNDING
        or question.answers_count >= PEOPLE_PER_ANSWER * cap
    )


def disagreement(*, answers: int, yes: int) -> float:
    """Return 2 · min(yes, no) / (answers + 2), in [0, 1): 0 where all agree."""
    return 2 * min(yes, answers - yes) / (answers + 2)


def entropy(probability: float) -> float:
    """Return the entropy in bits of a yes or no with that probability."""
    if not 0 < probability < 1:
        return 0.0
    rest = 1 - probability
    return -probability * math.log2(probability) - rest * math.log2(rest)


def _by_id(model: type[M], ids: Collection[int | None]) -> dict[int, M]:
    rows = prepared.objects(model, "WHERE id = ANY(%s::bigint[])", [list(ids)]) if ids else []
    return {row.pk: row for row in rows}


def _state(question: Question) -> Question.State:
    """Return the state of a question that is not gold."""
    project = question.project
    if question.verdict is not None:
        return State.SETTLED
    if is_ruled_out(question):
        return State.SETTLED
    if not has_enough(question, probability=question.probability):
        return State.AMBIGUOUS if is_at_cap(question) else State.OPEN
    uncertainty = min(question.probability, 1 - question.probability)
    slack = HYSTERESIS if question.state == State.SETTLED else 1
    if uncertainty <= (1 - project.settle_at) * slack:
        return State.SETTLED
    return State.OPEN if _is_worth_asking(question) else State.AMBIGUOUS


def _is_worth_asking(question: Question) -> bool:
    """Whether the project allows another answer, and it is worth its cost.

    To come within HYSTERESIS of settling is taken for settling here.
    """
    project, count = question.project, question.answers_count
    if is_at_cap(question):
        return False
    share = question.answers_weight / max(count, 1)
    yes, no = round(share * question.yes_count), round(share * (count - question.yes_count))
    worth = relative_value(
        question.probability,
        prior=question.prior,
        yes=yes,
        no=no,
        left=min(max(project.answers_cap - yes - no, 1), LOOKAHEAD),
        settle_at=max(1 - HYSTERESIS * (1 - project.settle_at), 0.5),
    )
    slack = HYSTERESIS if question.state == State.AMBIGUOUS else 1
    return worth >= project.answer_cost * slack
