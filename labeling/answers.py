"""Record answers as they come: store them, and update the questions and the annotator."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from labeling import (
    bulk_update,
    checks,
    evidence,
    excluding,
    pace,
    prepared,
    question_state,
    reported_changes,
)
from labeling.aggregation import drift, earnest, online
from labeling.models import Annotator, Answer, Challenge, Question, Recomputation
from labeling.reported_changes import Answered, ReportedChange

State = Question.State

_INSERT = """
INSERT INTO labeling_answer (annotator_id, challenge_id, seconds, created_at,
    weight, imported_by_id, question_id, value, reason, probability_before)
SELECT %(annotator)s::bigint, %(challenge)s::uuid, %(seconds)s::double precision,
    %(now)s::timestamptz, %(weight)s::double precision, %(import)s::bigint,
    new.*
FROM unnest(%(questions)s::bigint[], %(values)s::boolean[], %(reasons)s::varchar[],
    %(probabilities)s::double precision[]) AS new
ON CONFLICT (question_id, annotator_id) DO NOTHING
RETURNING question_id, id
"""

_ANNOTATOR_COLUMNS = (
    *Annotator.COUNTS,
    "reliability",
    "answers_count",
    "labels_count",
    "gold_count",
    "gold_right",
    "drift_score",
    "suspect_since",
    "skip_debt",
    "seen_at",
    "answered_until",
)
_TIMES = {"suspect_since", "seen_at", "answered_until"}
# The numbers among them, by which an answer is taken back.
FIGURES = tuple(name for name in _ANNOTATOR_COLUMNS if name not in _TIMES)

_TAKE_TIME = "UPDATE labeling_annotator SET answered_until = %s WHERE id = %s"


@dataclass(frozen=True)
class Change:
    """What some answers changed of questions and annotator, to take them back by."""

    states_before: Mapping[int, str]  # of each question, by id
    posteriors_after: Mapping[int, float]  # of each question, by id
    annotator_before: Sequence[float]  # the annotator's FIGURES
    annotator_after: Sequence[float]
    settled: int  # questions that became certain, whatever their author is told

    @property
    def labels(self) -> int:
        """How many labels became certain, as their author is told."""
        at = FIGURES.index("labels_count")
        return int(self.annotator_after[at] - self.annotator_before[at])


@dataclass(frozen=True)
class Outcome:
    """What some answers changed. Known questions seem to change as much as others."""

    recorded: int
    already_recorded: int = 0  # to questions that this annotator had answered before
    settled: int = 0  # questions that became certain
    disputed: int = 0  # questions on which people now agree less
    passed: bool | None = None  # probably right on all that is known; None without such
    change: Change | None = None  # None where nothing was recorded


def record(
    *,
    annotator: Annotator,
    values: Mapping[int, bool],
    reasons: Mapping[int, str],
    challenge: Challenge | None = None,
    seconds: float | None = None,
    shown_from: datetime | None = None,
    imported_by: int | None = None,
) -> Outcome:
    """Record one person's answers exactly once, and update what follows from them.

    values: by question id, whether its text is true of its tile; ids that are gone are left out.
    reasons: by question id, an `Answer.Reason`: why it was asked.
    shown_from: when the tiles can have appeared first; TooFast is raised where they cannot have
    been seen since (`labeling.pace`). None: the caller vouches that they were.
    imported_by: the id of the import that brings them.

    1. Lock the annotator, then the questions in the order of their ids.
    2. Store the answers to questions that this annotator has not answered before, with what they
       weigh by those whose truth is known.
    3. Read the evidence of all other answers to these questions.
    4. Answer by answer, those first whose truth is known, which teach most about the annotator:
       update the question's posterior, then the annotator's accuracy and drift score, then the
       question's state.
    5. Write the annotator and the questions.

    Answers of blocked annotators are stored and change no question; those of suspect ones are
    counted and weigh nothing. The outcome does not tell. The cost is bounded by the number of
    answers given here.
    """
    now = timezone.now()
    with transaction.atomic(savepoint=False):
        annotator = Annotator.objects.lock(annotator.pk)
        if shown_from is not None:
            seconds = _take_time(annotator, shown_from, seconds, now)
        questions = question_state.lock(values)
        prior = _earnest_prior(annotator, questions)
        stored = _store(
            annotator, questions, values, reasons, challenge, seconds, now, prior, imported_by
        )
        if not stored:
            return Outcome(recorded=0, already_recorded=len(questions))
        new = [answer.question for answer in stored]
        others = evidence.by_question(new, excluding=annotator)
        temperings = evidence.temperings(new)
        first_id = min(answer.pk for answer in stored)
        was_suspect = annotator.suspect
        states, before = {row.pk: str(row.state) for row in new}, figures(annotator)
        effects = [
            _update(
                answer,
                annotator,
                prior=prior,
                others=others.get(answer.question.pk, []),
                tempering=temperings[answer.question.project_id],
                first_id=first_id,
                now=now,
            )
            for answer in sorted(stored, key=_known_first)
        ]
        untold = _is_untold(annotator, challenge, now=now)
        reported = _reported(effects, annotator, new[0].project_id, untold=untold)
        _save_annotator(annotator, effects, reported, now)
        if not annotator.blocked:
            question_state.save(new)
            _follow(new, states, effects, reported)
        if annotator.suspect and not was_suspect:
            _request_recomputation(new[0].project_id)
    posteriors = {question.pk: question.probability for question in new}
    settled = sum(effect.answered.change.settled for effect in effects)
    change = Change(states, posteriors, before, figures(annotator), settled)
    return _outcome(effects, reported, already_recorded=len(questions) - len(stored), change=change)


def _follow(
    questions: Sequence[Question],
    states: Mapping[int, str],
    effects: Sequence["_Effect"],
    reported: Sequence[ReportedChange],
) -> None:
    """Bring along what true ones of these questions rule out, where they settled or reopened.

    The same is done for those that are only reported to have settled, though it changes nothing:
    else the time that an answer takes would tell gold.
    """
    told = {
        effect.answered.question
        for effect, change in zip(effects, reported, strict=True)
        if change.settled
    }
    excluding.follow(
        [q for q in questions if q.label and (q.state != states[q.pk] or q.pk in told)]
    )


def _request_recomputation(project: int) -> None:
    """Have a project recomputed as soon as this is committed: earlier answers may be bad, too."""
    rows = Recomputation.objects.filter(project=project, requested=False)
    transaction.on_commit(lambda: rows.update(requested=True), robust=True)


def figures(annotator: Annotator) -> list[float]:
    """Return the numbers that answers change of an annotator, in the order of FIGURES."""
    return [float(getattr(annotator, name)) for name in FIGURES]


def take_time(annotator: Annotator, *, shown_from: datetime, seconds: float | None) -> None:
    """Take the time of an answer that is no answer to a question: a new caption. Raises TooFast."""
    locked = Annotator.objects.lock(annotator.pk)
    _take_time(locked, shown_from, seconds, timezone.now())
    prepared.execute(_TAKE_TIME, [locked.answered_until, locked.pk])


def _take_time(
    annotator: Annotator, shown_from: datetime, seconds: float | None, now: datetime
) -> float | None:
    """Let a locked annotator's answer take up its time; return its seconds. Raises TooFast.

    The annotator is still to be saved.
    """
    span = pace.span(
        shown_from=shown_from, answered_until=annotator.answered_until, seconds=seconds, now=now
    )
    annotator.answered_until = span.end
    return span.seconds


@dataclass(frozen=True)
class _Effect:
    """What one answer changed."""

    answered: Answered
    right: float | None  # the probability that it is, by what is known; None where nothing is
    gold: bool  # whether the truth is known


def _store(
    annotator: Annotator,
    questions: Sequence[Question],
    values: Mapping[int, bool],
    reasons: Mapping[int, str],
    challenge: Challenge | None,
    seconds: float | None,
    now: datetime,
    prior: float,
    imported_by: int | None,
) -> list[Answer]:
    """Insert the answers that are new; return them, with the locked questions at hand.

    Those of a challenge are numbered at random: the order of their ids is shown to their author,
    and that of the questions' ids tells gold, which was stored first, from what was nominated.
    """
    weight = _weight(annotator, questions, values, prior) if challenge else 1.0
    ordered = random.sample(questions, k=len(questions)) if challenge else questions
    answers = {
        question.pk: Answer(
            question=question,
            annotator=annotator,
            challenge=challenge,
            value=values[question.pk],
            reason=reasons[question.pk],
            seconds=seconds,
            probability_before=question.probability,
            weight=weight,
            imported_by_id=imported_by,
            created_at=now,
        )
        for question in ordered
    }
    rows: dict[str, Any] = {
        "annotator": annotator.pk,
        "challenge": challenge and challenge.pk,
        "seconds": seconds,
        "now": now,
        "weight": weight,
        "import": imported_by,
        "questions": list(answers),
        "values": [answer.value for answer in answers.values()],
        "reasons": [str(answer.reason) for answer in answers.values()],
        "probabilities": [answer.probability_before for answer in answers.values()],
    }
    stored = []
    for question, pk in prepared.fetch(_INSERT, rows):
        answers[question].pk = pk
        stored.append(answers[question])
    return sorted(stored, key=lambda answer: answer.question_id)


def _known_first(answer: Answer) -> tuple[bool, bool]:
    """Return a key that sorts gold and decided questions first, then settled ones."""
    return answer.question.verdict is None, answer.question.state != State.SETTLED


def _earnest_prior(annotator: Annotator, questions: Sequence[Question]) -> float:
    """Return the earnest prior of who answers these questions of one project."""
    if not questions:
        return earnest.ANYBODY
    return evidence.earnest_priors([annotator.pk], questions[0].project)[annotator.pk]


def _weight(
    annotator: Annotator,
    questions: Sequence[Question],
    values: Mapping[int, bool],
    prior: float,
) -> float:
    """Return what the answers to a challenge weigh, by those whose truth is known."""
    known = [(q.known_probability, values[q.pk]) for q in questions]
    checks = [(probability, value) for probability, value in known if probability is not None]
    if not checks:
        return 1.0
    counts = annotator.confusion_counts
    weights = earnest.challenge_weights(
        np.zeros(len(checks), np.intp),
        np.array([value for _, value in checks]),
        np.array([probability for probability, _ in checks]),
        np.full(len(checks), earnest.accuracy(counts)),
        np.array([earnest.challenge_prior(counts, prior)]),
    )
    return float(weights[0])


def _update(
    answer: Answer,
    annotator: Annotator,
    *,
    prior: float,
    others: Sequence[float],
    tempering: online.Tempering,
    first_id: int,
    now: datetime,
) -> _Effect:
    """Update the question and the annotator by one answer; neither is written yet.

    prior: the annotator's earnest prior. others: the evidence of the other answers.
    first_id: the smallest id of the answers recorded now.
    """
    question = answer.question
    was_open, disagreement = question.state == State.OPEN, question.disagreement
    known = question.known_probability
    own = [] if annotator.suspect else [_evidence(answer, annotator, prior)]
    question.probability = online.tempered_posterior(question.prior, [*others, *own], tempering)
    question.answers_count += 1
    question.yes_count += answer.value
    question.answers_weight = online.answers_weight([*others, *own])
    _update_accuracy(annotator, answer, others=others, first_id=first_id, now=now)
    question_state.update_state(question, now=now)
    change = ReportedChange(
        settled=was_open and question.state == State.SETTLED,
        disputed=question.disagreement > disagreement,
    )
    checking = checks.is_check(answer)
    return _Effect(
        answered=Answered(question.pk, answer.value, checking, change),
        right=None if known is None else online.right(known, answer.value),
        gold=question.verdict is not None,
    )


def _evidence(answer: Answer, annotator: Annotator, prior: float) -> float:
    """Return the evidence of an answer that is being recorded."""
    counts = annotator.confusion_counts
    return answer.weight * evidence.of_answer(counts, answer.value, answer.reason, prior)


def _update_accuracy(
    annotator: Annotator, answer: Answer, *, others: Sequence[float], first_id: int, now: datetime
) -> None:
    """Update drift score and confusion counts by what is known without this answer.

    Only gold and settled questions tell anything of a suspect annotator, whose answers weigh
    nothing elsewhere: that is how they are reinstated.
    """
    question = answer.question
    if question.verdict is not None:
        posterior = untempered = float(question.verdict)
    elif annotator.suspect and question.state != State.SETTLED:
        return
    else:
        posterior = online.tempered_posterior(question.prior, others)
        untempered = online.untempered_posterior(question.prior, others)
    if others or question.verdict is not None:
        right = online.right(posterior, answer.value)
        _update_drift(annotator, right, first_id=first_id, now=now)
    if not annotator.suspect:
        counts = annotator.confusion_counts
        annotator.confusion_counts = online.update_counts(counts, answer.value, untempered)


def _update_drift(annotator: Annotator, right: float, *, first_id: int, now: datetime) -> None:
    """Update the drift score; suspect the annotator from answer `first_id` on, or reinstate them.

    right: the probability that the answer is right by what others know.
    """
    counts = annotator.confusion_counts
    usual = online.reliability_lower_bound(counts)
    annotator.drift_score = drift.score(annotator.drift_score, right, usual)
    if annotator.drift_score >= drift.THRESHOLD and not annotator.suspect:
        annotator.start_suspect_spell(start=first_id, now=now)
        annotator.reliability = drift.GUESSING
    elif annotator.drift_score <= 0 and annotator.suspect:
        annotator.end_suspect_spell(stop=first_id, now=now)
        annotator.confusion_counts = counts  # and with them the reliability of before


def _save_annotator(
    annotator: Annotator,
    effects: Sequence[_Effect],
    reported: Sequence[ReportedChange],
    now: datetime,
) -> None:
    annotator.answers_count += len(effects)
    annotator.labels_count += sum(each.settled for each in reported)
    annotator.gold_count += sum(effect.gold for effect in effects)
    annotator.gold_right += sum(effect.gold and effect.right == 1 for effect in effects)
    annotator.skip_debt = max(annotator.skip_debt - 1, 0)
    annotator.seen_at = now
    bulk_update.update([annotator], _ANNOTATOR_COLUMNS)


def _is_untold(annotator: Annotator, challenge: Challenge | None, *, now: datetime) -> bool:
    """Whether nothing is reported: the challenge was undone before, or many answers withdrawn.

    Else one could try what yes changes and what no does: of gold it is the same.
    """
    if challenge is not None and challenge.undos:
        return True
    return annotator.untold_until is not None and annotator.untold_until > now


def _reported(
    effects: Sequence[_Effect], annotator: Annotator, project: int, *, untold: bool
) -> list[ReportedChange]:
    """Return what is reported of each answer."""
    if untold:
        return [ReportedChange()] * len(effects)
    answered = [effect.answered for effect in effects]
    passed = _passed(effects) is not False
    return reported_changes.reported(
        answered, annotator=annotator.pk, project=project, passed=passed
    )


def _outcome(
    effects: Sequence[_Effect],
    reported: Sequence[ReportedChange],
    *,
    already_recorded: int,
    change: Change,
) -> Outcome:
    return Outcome(
        recorded=len(effects),
        already_recorded=already_recorded,
        settled=sum(each.settled for each in reported),
        disputed=sum(each.disputed for each in reported),
        passed=_passed(effects),
        change=change,
    )


def _passed(effects: Sequence[_Effect]) -> bool | None:
    """Whether all that is known was probably answered right; None where nothing is known."""
    known = [effect.right for effect in effects if effect.right is not None]
    return math.prod(known) >= 0.5 if known else None
