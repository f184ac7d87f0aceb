"""What came of an answer: which of it is shown to the person who gave it, and when.

One rule for the strip below a question and for the page of one's own answers. Whoever sees more
of open questions than of gold can tell gold apart, so all that is shown obeys these:

1. Nothing is shown before the answer can no longer be taken back: else it would be looked up first.
2. What others say is shown only of questions that are no longer asked (settled, ambiguous or
   decided), and never of those that are in use to check people (`checks.in_use`). So whoever
   sees it knows that it was no check.
3. Therefore it is shown only of the questions in `checks.REVEALED_SHARE`, a keyed pseudo-random
   part of all, which check nobody; silence about another says nothing. Of all others it is shown
   after `REVEALED_AFTER` whether they became certain, and no more. Those in use are shown as if
   they were another question of the same challenge, drawn by a secret hash.
4. What the model says is shown of the same questions, in use or not, as yes or no: its probability
   would tell clear gold from questions about which it is unsure. Not of all questions, since yes or
   no tells gold as well: half of a pool is what the model is least sure of, and there it is often
   wrong. Whoever sees the truth, and that the model does not, would know that it is hardly gold.
5. That a single picture was generated is shown of all: it is no gold, and questions about generated
   pictures are checked by other such (`selection.verifications`).

Let a share t of the questions that are no gold be given away at once, and nothing else be shown:
the area under the curve of telling gold by it is t + (1 − t)/2 = ½ + t/2. Whatever rules 2 and 4
give away, it is about `checks.REVEALED_SHARE` = .08 of the questions: at most .04 above chance. The
share is chosen by the question alone, and not by the annotator too: so the same holds for somebody
who answers under many pseudonyms, or asks for the same result again and again.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling import challenges, checks, predictions, reported_changes
from labeling.models import Answer, Challenge, Question

REVEALED_AFTER = timedelta(hours=24)  # after which it is shown of all whether they became certain
READY_IN = challenges.UNDO_SECONDS + challenges.UNDO_GRACE  # seconds after an answer
VOTES_MAX = 5  # that are shown; more are shown as so many

State = Question.State
_FINAL = timedelta(seconds=READY_IN)
_VOTES = {"yes": Count("pk", filter=Q(value=True)), "no": Count("pk", filter=Q(value=False))}
_CLOSED = {State.SETTLED, State.AMBIGUOUS}


class TooEarly(ValueError):
    """An answer can still be taken back: nothing is shown of it yet."""

    def __init__(self, ready_in: int) -> None:
        super().__init__(_("What came of it is told once the answer can no longer be undone."))
        self.ready_in = ready_in  # seconds


class Unanswered(ValueError):
    """A challenge has no answer: it was not answered, or its answer was taken back."""


@dataclass(frozen=True)
class Votes:
    """Other people's answers to a question, `VOTES_MAX` of a kind at most."""

    yes: int
    no: int


@dataclass(frozen=True)
class Result:
    """What is shown of an answer."""

    others: Votes | None = None
    model: bool | None = None
    state: str = State.OPEN  # of its question; open, too, where it is not shown


@dataclass(frozen=True)
class TileResult:
    """What is shown of a challenge's tile, and what was answered."""

    number: int
    selected: bool | None = None  # None: it was not asked about, or nothing was answered
    result: Result = Result()


NOTHING = Result()


def of_challenge(challenge: Challenge) -> list[TileResult]:
    """Return what is shown of a challenge's tiles, in their order.

    Raises Unanswered, or TooEarly while the answer can be taken back.
    """
    if challenge.answered_at is None:
        raise Unanswered(_("This challenge was not answered: answer it first."))
    left = challenge.answered_at + _FINAL - timezone.now()
    if left > timedelta():
        raise TooEarly(math.ceil(left.total_seconds()))
    answers = Answer.objects.filter(
        annotator=challenge.annotator_id, challenge=challenge.pk
    ).select_related("question__concept__project")
    own = {answer.question_id: answer for answer in answers}
    by_question = of_answers(list(own.values()))
    questions = challenge.questions or [0] * len(challenge.tiles)  # nothing was asked: `write`
    return [
        TileResult(number, own[question].value, by_question[question])
        if question in own
        else TileResult(number)
        for number, question in enumerate(questions, 1)
    ]


def of_answers(answers: Sequence[Answer], *, now: datetime | None = None) -> dict[int, Result]:
    """Return what is shown of one person's answers, by question id, by three queries at most.

    answers: with their questions, and the concepts and projects of these, at hand.
    """
    now = now or timezone.now()
    final = [answer for answer in answers if answer.created_at + _FINAL <= now]
    questions = [answer.question for answer in final]
    used = checks.in_use(final)
    public = {
        answer.question_id
        for answer in final
        if answer.question_id not in used and _is_public(answer)
    }
    others = _votes(public, annotator=final[0].annotator_id) if public else {}
    revealed = [q for q in questions if q.pk in public or checks.is_revealed(q.pk)]
    model = _model_says(revealed)
    results = {answer.question_id: NOTHING for answer in answers}
    for question in revealed:
        votes = others.get(question.pk, Votes(0, 0)) if question.pk in public else None
        state = question.state if question.pk in public else State.OPEN
        results[question.pk] = Result(votes, model.get(question.pk), state)
    old = [answer for answer in final if answer.created_at + REVEALED_AFTER <= now]
    for pk, state in _states(old, used, now).items():
        results[pk] = replace(results[pk], state=state)
    return results


def in_words(tiles: Sequence[TileResult]) -> str:
    """Say in short sentences what others and the model say; empty where nothing is shown."""
    votes = [agrees(tile.selected, tile.result.others) for tile in tiles]
    model = [tile.selected == tile.result.model for tile in tiles if tile.result.model is not None]
    same, different = votes.count(True), votes.count(False)
    alike, unlike = model.count(True), model.count(False)
    counted = [
        (
            same,
            ngettext(
                "Others agree with you about %(count)s picture.",
                "Others agree with you about %(count)s pictures.",
                same,
            ),
        ),
        (
            different,
            ngettext(
                "About %(count)s picture, people see it differently.",
                "About %(count)s pictures, people see it differently.",
                different,
            ),
        ),
        (
            alike,
            ngettext(
                "The model agrees with you about %(count)s picture.",
                "The model agrees with you about %(count)s pictures.",
                alike,
            ),
        ),
        (
            unlike,
            ngettext(
                "The model sees %(count)s picture differently.",
                "The model sees %(count)s pictures differently.",
                unlike,
            ),
        ),
    ]
    return " ".join(sentence % {"count": count} for count, sentence in counted if count)


def agrees(value: bool | None, votes: Votes | None) -> bool | None:
    """Whether most of the others say what somebody says; None where they say nothing, or both."""
    if value is None or votes is None or votes.yes == votes.no:
        return None
    return value == (votes.yes > votes.no)


def _states(answers: Sequence[Answer], used: Collection[int], now: datetime) -> dict[int, str]:
    """Return what is shown, late, of the states of questions by id.

    used: those in use, whose state is drawn from those of the annotator's other late answers in the
    project; where there is none, they are shown as open. Which one depends on the question's secret
    number, so that several people see nearly always the same state, as of any other question.
    """
    late = _late_states(answers[0].annotator_id, now) if answers and used else {}
    states: dict[int, str] = {}
    for answer in answers:
        question = answer.question
        if question.pk not in used:
            states[question.pk] = question.state
        elif some := late.get(question.project_id):
            states[question.pk] = some[int(reported_changes.unit(question.pk) * len(some))]
    return states


def _late_states(annotator: int, now: datetime) -> dict[int, list[str]]:
    """Return the states of what an annotator answered so long ago, sorted, by project."""
    rows = Answer.objects.filter(annotator=annotator, created_at__lte=now - REVEALED_AFTER)
    rows = rows.exclude(question__state=State.GOLD).exclude(reason=Answer.Reason.CHECK)
    counts = rows.order_by("question__project", "question__state").values_list(
        "question__project", "question__state"
    )
    late: dict[int, list[str]] = defaultdict(list)
    for project, state, count in counts.annotate(count=Count("pk")):
        late[project] += [state] * count
    return late


def _is_public(answer: Answer) -> bool:
    """Whether what others say of the question is shown, unless it is in use."""
    return answer.question.state in _CLOSED and checks.is_revealed(answer.question_id)


def _votes(questions: Collection[int], *, annotator: int) -> dict[int, Votes]:
    """Return the others' answers to each question that has any."""
    rows = Answer.objects.counted().filter(question__in=questions).exclude(annotator=annotator)
    counts = rows.order_by().values_list("question").annotate(**_VOTES)
    return {pk: Votes(min(yes, VOTES_MAX), min(no, VOTES_MAX)) for pk, yes, no in counts}


def _model_says(questions: Sequence[Question]) -> Mapping[int, bool]:
    """Return the model's yes or no by question id, where it predicts anything.

    Whether a prediction is stored with a question depends on its history: those of all pairs come
    first, in which gold is like any other.
    """
    verdicts = {}
    for question in questions:
        log_odds = _prediction(question) if question.concept else None
        if log_odds is not None:
            verdicts[question.pk] = log_odds >= 0
        elif question.model_probability is not None:
            verdicts[question.pk] = question.model_probability >= 0.5
    return verdicts


def _prediction(question: Question) -> float | None:
    """Return the log-odds that are predicted for a pair; None without."""
    concept = question.concept
    assert concept is not None
    array = predictions.load(concept, concept.project)
    if array is None:
        return None
    tiles = predictions.tile_ids(concept.project)
    (row,) = predictions.rows_of(tiles, np.array([question.tile_id]))
    return float(array[row]) if row >= 0 and not np.isnan(array[row]) else None
