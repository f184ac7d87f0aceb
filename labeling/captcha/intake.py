"""Record what visitors of sites have answered: attempts become annotators, challenges and answers.

Each attempt that ended with answers, passed or failed, is taken in once: its visitor becomes an
annotator of their own, whose answers weigh by those of known truth among them, as everybody's do
(`labeling.answers`). The database says what is to be taken in; a run that dies is gone on with by
the next, and several go on beside each other.
"""

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from labeling import answers, prepared, question_state
from labeling.captcha import attempts
from labeling.models import Annotator, Attempt, Challenge, Site

BATCH = 20  # attempts of one transaction, for as long as which their questions are locked
ADDRESS_KEPT = timedelta(days=2)  # for which an attempt keeps the hash of its address
KEPT = timedelta(days=31)  # for which it is kept itself
FORGOTTEN = 10_000  # that are deleted in one statement

_DUE = """
WHERE taken_in_at IS NULL AND values <> '{}' AND (state <> 'asked' OR expires_at < %s)
ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_TAKEN = """
UPDATE labeling_attempt SET taken_in_at = %s, annotator_id = %s, labels = %s WHERE id = %s
"""
_FORGET_ADDRESSES = """
UPDATE labeling_attempt SET address = '' WHERE id IN (
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
    """Take in what is due, for so many seconds at most; return how many attempts that were."""
    stop, taken = time.monotonic() + seconds, 0
    while True:
        batch = take_in()
        taken += batch
        if batch < BATCH or time.monotonic() > stop:
            return taken


def take_in(*, now: datetime | None = None) -> int:
    """Record the answers of up to BATCH attempts in a transaction; return how many there were."""
    now = now or timezone.now()
    with transaction.atomic():
        due = prepared.objects(Attempt, _DUE, [now, BATCH])
        of = Site.objects.in_bulk({attempt.site_id for attempt in due})
        # In one go, in their order: so that no two transactions wait for each other.
        question_state.lock({question for attempt in due for question in attempt.questions})
        for attempt in due:
            attempt.site = of[attempt.site_id]
            annotator, labels = _record(attempt)
            prepared.execute(_TAKEN, [now, annotator.pk, labels, attempt.pk])
    return len(due)


def forget(*, now: datetime | None = None) -> int:
    """Blank the addresses of old attempts, and delete older ones; return how many were deleted."""
    now = now or timezone.now()
    while prepared.execute(_FORGET_ADDRESSES, [now - ADDRESS_KEPT, FORGOTTEN]) == FORGOTTEN:
        pass
    deleted = 0
    while count := prepared.execute(_FORGET, [now - KEPT, FORGOTTEN]):
        deleted += count
    return deleted


def _record(attempt: Attempt) -> tuple[Annotator, int]:
    """Record an attempt's answers, round by round; return its annotator, and the labels gained."""
    annotator, labels = Annotator.objects.create(site_id=attempt.site_id), 0
    for number in range(1, len(attempt.round_seconds) + 1):
        part = attempts.part_of_round(attempt, number)
        challenge = _challenge(attempt, annotator, number, part)
        questions, reasons = attempt.questions[part], attempt.reasons[part]
        values = dict(zip(questions, attempt.values[part], strict=True))
        asked = {
            q: why for q, why in zip(questions, reasons, strict=True) if why != Challenge.SHOWN
        }
        outcome = answers.record(
            annotator=annotator,
            values={question: values[question] for question in asked},
            reasons=asked,
            challenge=challenge,
            seconds=attempt.round_seconds[number - 1],
        )
        labels += outcome.change.settled if outcome.change else 0
    return annotator, labels


def _challenge(attempt: Attempt, annotator: Annotator, number: int, part: slice) -> Challenge:
    """Store the challenge that a round was."""
    sentences = slice(part.start and 3 * part.start, part.stop and 3 * part.stop)
    return prepared.insert(
        Challenge(
            project_id=attempt.site.project_id,
            annotator=annotator,
            kind=attempt.door,
            concept_id=attempt.concept_id,
            questions=attempt.questions[part],
            tiles=attempt.tiles[part],
            reasons=attempt.reasons[part],
            sentences=attempt.sentences[sentences],
            expires_at=attempt.expires_at,
            answered_at=attempt.answered_at,
            passed=attempt.state == Attempt.State.PASSED,
            seconds=attempt.round_seconds[number - 1],
        )
    )
