"""Record what visitors of sites have answered: attempts become annotators, challenges and answers.

Each attempt that ended with answers, passed or failed, is taken in once: its visitor becomes an
annotator of their own, and each round a challenge, whose answers weigh by those of known truth
among them, as everybody's do (`labeling.answers`). Who passed or failed is all the same for that,
but for those who plainly did not look: they are blocked. The database says what is to be taken in;
a run that dies is gone on with by the next, and several go on beside each other.
"""

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from labeling import answers, bulk_insert, prepared, question_state
from labeling.captcha import text_rounds
from labeling.models import Annotator, Attempt, Challenge, Concept, Site

logger = logging.getLogger(__name__)

LEAST_EVIDENCE = 1.0  # nats for a person, below which answers change nothing
BATCH = 20  # attempts of one transaction, for as long as which their questions are locked
ADDRESS_KEPT = timedelta(days=2)  # for which it keeps the hash of its address, and what it asked
KEPT = timedelta(days=31)  # for which it is kept itself
FORGOTTEN = 10_000  # that are deleted in one statement

_DUE = """
WHERE taken_in_at IS NULL AND values <> '{}' AND (state <> 'asked' OR expires_at < %s)
    AND id <> ALL(%s::uuid[])
ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_TAKEN = """
UPDATE labeling_attempt AS attempt
SET taken_in_at = %(now)s, annotator_id = new.annotator, labels = new.labels
FROM unnest(%(ids)s::uuid[], %(annotators)s::bigint[], %(labels)s::integer[])
    AS new(id, annotator, labels)
WHERE attempt.id = new.id
"""
_ASKED = "questions", "tiles", "reasons", "known", "predicted", "sentences"
_EMPTIED = ", ".join(
    f"{name} = CASE WHEN taken_in_at IS NULL AND values <> '{{}}' THEN {name} ELSE '{{}}' END"
    for name in _ASKED
)
_FORGET_ADDRESSES = f"""
UPDATE labeling_attempt SET address = '', {_EMPTIED} WHERE id IN (
    SELECT id FROM labeling_attempt WHERE address <> '' AND created_at < %s LIMIT %s
)
"""
_FORGET = """
DELETE FROM labeling_attempt WHERE id IN (
    SELECT id FROM labeling_attempt
    WHERE created_at < %s AND (taken_in_at IS NOT NULL OR values = '{}') LIMIT %s
)
"""


def run(*, seconds: float) -> int:
    """Take in what is due, for so many seconds at most; return how many attempts that were.

    One that fails keeps no other waiting: after its batch it is tried alone, and left to the next
    run.
    """
    stop, taken, size = time.monotonic() + seconds, 0, BATCH
    failed: list[UUID] = []
    while True:
        try:
            batch = take_in(most=size, without=failed)
        except Exception:
            if size == 1:
                failed += _next(without=failed)
                logger.exception("Attempts could not be taken in: %s", failed[-1:])
            size = 1
            continue
        taken += batch
        if batch < size or time.monotonic() > stop:
            return taken


def take_in(
    *, now: datetime | None = None, most: int = BATCH, without: Collection[UUID] = ()
) -> int:
    """Record the answers of some attempts in a transaction; return how many there were.

    most: attempts. without: ids of those that are left out.
    """
    now = now or timezone.now()
    with transaction.atomic():
        due = prepared.objects(Attempt, _DUE, [now, list(without), most])
        # In one go, in their order: so that no two transactions wait for each other.
        question_state.lock({question for attempt in due for question in attempt.questions})
        annotators = [
            Annotator(site_id=attempt.site_id, blocked=_is_blind(attempt)) for attempt in due
        ]
        bulk_insert.insert_with_ids(annotators)
        projects = dict(Site.objects.filter(attempts__in=due).values_list("pk", "project"))
        concepts = _left(concept for attempt in due for concept in attempt.concepts)
        rounds = [
            [
                (attempt, each)
                for each in _challenges(attempt, annotator, projects)
                if each.concept_id is None or each.concept_id in concepts
            ]
            for attempt, annotator in zip(due, annotators, strict=True)
        ]
        bulk_insert.insert_with_ids([each for some in rounds for _, each in some])
        values = {
            "now": now,
            "ids": [attempt.pk for attempt in due],
            "annotators": [annotator.pk for annotator in annotators],
            "labels": [sum(_record(*each) for each in some) for some in rounds],
        }
        prepared.execute(_TAKEN, values)
    return len(due)


def forget(*, now: datetime | None = None) -> int:
    """Blank the addresses of old attempts and what they asked, and delete older ones.

    Return how many were deleted. What was asked is most of a row, and many may begin attempts that
    nobody answers.
    """
    now = now or timezone.now()
    while prepared.execute(_FORGET_ADDRESSES, [now - ADDRESS_KEPT, FORGOTTEN]) == FORGOTTEN:
        pass
    deleted = 0
    while count := prepared.execute(_FORGET, [now - KEPT, FORGOTTEN]):
        deleted += count
    return deleted


def _next(*, without: Collection[UUID]) -> list[UUID]:
    """Return the id of the attempt that is taken in next."""
    with transaction.atomic():
        due = prepared.objects(Attempt, _DUE, [timezone.now(), list(without), 1])
    return [attempt.pk for attempt in due]


def _is_blind(attempt: Attempt) -> bool:
    """Whether it was as probably answered without a look as by a person.

    Such answers are stored and change no question: else bots would spoil the figures of agreement,
    and have questions given up on which people would have agreed.
    """
    return attempt.evidence is not None and attempt.evidence < LEAST_EVIDENCE


def _left(concepts: Iterable[int]) -> set[int]:
    """Return those of the concepts that were not deleted meanwhile."""
    return set(Concept.objects.filter(pk__in=set(concepts)).values_list("pk", flat=True))


def _challenges(
    attempt: Attempt, annotator: Annotator, projects: Mapping[int, int]
) -> Iterator[Challenge]:
    """Yield the challenge that each round was which was answered, both of the text door as one.

    projects: by the ids of sites.
    """
    answered = len(attempt.values)
    first = attempt.first_round if attempt.door == Attempt.Door.GRID else answered
    for number, part in enumerate((slice(0, first), slice(first, answered))):
        if questions := attempt.questions[part]:
            yield Challenge(
                project_id=projects[attempt.site_id],
                annotator=annotator,
                kind=attempt.door,
                concept_id=attempt.concepts[number] if attempt.concepts else None,
                questions=questions,
                tiles=attempt.tiles[part],
                reasons=attempt.reasons[part],
                sentences=attempt.sentences[: 3 * answered],
                created_at=attempt.created_at,
                expires_at=attempt.expires_at,
                answered_at=attempt.answered_at,
                passed=attempt.state == Attempt.State.PASSED,
                seconds=attempt.round_seconds[number],
            )


def _record(attempt: Attempt, challenge: Challenge) -> int:
    """Record a round's answers; return how many labels became certain with them."""
    values = dict(zip(attempt.questions, attempt.values, strict=False))
    reasons = dict(zip(challenge.questions, challenge.reasons, strict=True))
    to_record = _to_record(attempt)
    reasons = {
        question: why
        for question, why in reasons.items()
        if why != Challenge.SHOWN and question in to_record
    }
    outcome = answers.record(
        annotator=challenge.annotator,
        values={question: values[question] for question in reasons},
        reasons=reasons,
        challenge=challenge,
        seconds=challenge.seconds,
    )
    return outcome.change.settled if outcome.change else 0


def _to_record(attempt: Attempt) -> Collection[int]:
    """Return the questions whose answers count: by text, if their references still hold."""
    if attempt.door == Attempt.Door.TEXT:
        return text_rounds.still_hold(attempt)
    return attempt.questions
