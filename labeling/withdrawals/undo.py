"""Undo the answer to somebody's last challenge, or their skipping it, and ask it again.

Locks are taken as by an answer: the challenge, the annotator, the questions in the order of their
ids; the project's recomputation last.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import challenges, prepared, question_state, removal, snapshot_marks, taken_back
from labeling.models import Annotator, Answer, Challenge, Project, Question, RemovedAnswer
from labeling.models.removals import RemovedImage
from labeling.selection import reservations
from labeling.selection.picks import Kind
from labeling.withdrawals import annotators, captions, questions

MAX_UNDOS = 3  # of one challenge: nobody tries what each of its answers would bring

_REOPEN = """
UPDATE labeling_challenge
SET answered_at = NULL, seconds = NULL, skipped = false, skip_reason = '', passed = NULL,
    labels = 0, undos = undos + 1,
    expires_at = greatest(expires_at, %(expires)s::timestamptz), reserved_until = %(until)s,
    states_before = '{}', posteriors_after = '{}', annotator_before = '{}', annotator_after = '{}'
WHERE id = %(challenge)s
"""
_ANSWERED_LATER = """
SELECT 1 FROM labeling_challenge
WHERE annotator_id = %(annotator)s AND answered_at > %(answered_at)s AND id <> %(challenge)s
LIMIT 1
"""


class TooLate(challenges.ChallengeError):
    """The answer counts for good: its time is over, or a later challenge was answered."""


class TooOften(challenges.ChallengeError):
    """The challenge was undone as often as may be."""


def undo(*, challenge: Challenge, address: str = "") -> Challenge:
    """Take back the answer or skip of an annotator's last challenge; return it, open again.

    1. Lock the challenge, which only one of several undos finds answered, and reopen it with a new
       deadline.
    2. Delete its answers, or the caption that was written. Its questions are asked in no other
       challenge (`labeling.taken_back`).
    3. Set its questions to what the other answers alone give, and the annotator to what was before.
    4. Reserve its open questions again, as far as they are available.

    address: where the request comes from, as in `taken_back.note`.

    Raises TooLate or TooOften, and then changes nothing. Where nothing is left to ask, since its
    pictures were removed, the challenge has expired.
    """
    now = timezone.now()
    until = now + reservations.RESERVATION_TIME
    with transaction.atomic():
        challenge = _lock(challenge, now=now)
        _reopen(challenge, now=now, until=until)
        annotator = Annotator.objects.lock(challenge.annotator_id)
        _check_last(challenge)
        if not challenge.skipped:
            _take_back(challenge, annotator, address)
        if not annotator.blocked:
            _reserve(challenge, now=now, until=until)
        if not _is_askable(challenge):
            Challenge.objects.filter(pk=challenge.pk).update(expires_at=now)
    reopened = prepared.first(Challenge, "WHERE id = %s", [challenge.pk])
    if reopened is None:
        raise challenges.Expired(challenges.REMOVED)
    reopened.annotator = annotator
    return reopened


def _lock(challenge: Challenge, *, now: datetime) -> Challenge:
    """Return the challenge as it is now, locked. Raises TooLate or TooOften."""
    locked = prepared.first(Challenge, "WHERE id = %s FOR NO KEY UPDATE", [challenge.pk])
    if locked is None:
        raise challenges.Expired(challenges.REMOVED)
    if locked.answered_at is None:
        raise TooLate(_("There is nothing to undo: the challenge is open."))
    if locked.undos >= MAX_UNDOS:
        raise TooOften(_("This challenge was undone often enough: its answer counts now."))
    seconds = challenges.UNDO_SECONDS + challenges.UNDO_GRACE
    if locked.answered_at <= now - timedelta(seconds=seconds):
        raise TooLate(_("It is too late to undo this: the answer counts now."))
    if locked.annotator_before and not locked.states_before:
        raise TooLate(_("Something of this answer was withdrawn: the rest counts."))
    return locked


def _reopen(challenge: Challenge, *, now: datetime, until: datetime) -> None:
    """Open a locked challenge again."""
    values = {
        "challenge": challenge.pk,
        "expires": now + timedelta(seconds=settings.CHALLENGE_SECONDS),
        "until": until,
    }
    prepared.execute(_REOPEN, values)


def _check_last(challenge: Challenge) -> None:
    """Raise TooLate where the annotator, who is locked, has answered another challenge since."""
    values = {
        "annotator": challenge.annotator_id,
        "answered_at": challenge.answered_at,
        "challenge": challenge.pk,
    }
    if prepared.fetch(_ANSWERED_LATER, values):
        raise TooLate(_("A later question was answered: only the last answer can be undone."))


def _take_back(challenge: Challenge, annotator: Annotator, address: str) -> None:
    """Delete the answers; restore questions, annotator and suspicion of them."""
    if challenge.kind == Kind.WRITE:
        _delete_caption(challenge)
    own = Answer.objects.filter(challenge=challenge)
    ids = list(own.values_list("question_id", flat=True))
    locked = question_state.lock(ids)  # whoever removes a picture is waited for
    given = {answer.question_id: answer for answer in own}
    first_id = min((answer.pk for answer in given.values()), default=None)
    own.delete()
    taken_back.note(
        annotator=annotator.pk, questions=given, project=challenge.project_id, address=address
    )
    archived = _delete_archived(challenge)
    first_id = min(filter(None, (first_id, archived)), default=None)
    questions.restore(locked, given=given, challenge=challenge)
    if first_id is not None:
        annotators.restore(annotator, challenge, first_id=first_id)
    drawn = {q.pk for q in locked if q.source == Question.Source.MODEL}
    gone = [(answer.pk, pk in drawn) for pk, answer in given.items()]
    snapshot_marks.mark(challenge.project_id, answers=gone)
    annotators.request_recomputation(challenge.project_id)


def _delete_caption(challenge: Challenge) -> None:
    """Delete the caption that the answer wrote, unless it was there before.

    Whoever answered about it within these seconds has answered about nothing: their answers are
    archived.
    """
    written = Question.objects.filter(
        pk__in=challenge.questions,
        author=challenge.annotator_id,
        created_at__gte=challenge.answered_at,
    )
    ids = list(written.values_list("pk", flat=True))
    removal.withdraw_questions(ids)
    captions.forget_words(ids)
    snapshot_marks.mark(challenge.project_id, captions=ids)
    Challenge.objects.filter(pk=challenge.pk).update(questions=[])


def _delete_archived(challenge: Challenge) -> int | None:
    """Delete answers that were archived since, with their pictures; return the smallest id."""
    rows = RemovedAnswer.objects.filter(
        challenge_id=challenge.pk, annotator=challenge.annotator_id
    ).select_for_update()
    archived = list(rows)
    for row in archived:
        if row.image_id is not None:
            RemovedImage.objects.filter(pk=row.image_id).update(answers=F("answers") - 1)
    RemovedAnswer.objects.filter(pk__in=[row.pk for row in archived]).delete()
    return min((row.answer_id for row in archived), default=None)


def _reserve(challenge: Challenge, *, now: datetime, until: datetime) -> None:
    project = Project.objects.get(pk=challenge.project_id)
    wanted = [
        question
        for question, reason in zip(challenge.questions, challenge.reasons, strict=False)
        if reason in Challenge.RESERVED
    ]
    reservations.reserve(wanted, project=project, until=until, now=now)


def _is_askable(challenge: Challenge) -> bool:
    """Whether a question of the challenge, or the picture to describe, is still there."""
    if challenge.kind == Kind.WRITE:
        return True
    return Question.objects.filter(pk__in=challenge.questions).exists()
