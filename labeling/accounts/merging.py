"""Merge what a visitor answered into the account that they sign in to.

Nobody's standing is better for it than if the account had answered all: expected counts are added,
suspect spells and failed challenges come along, and what a blocked pseudonym answered never counts.
Visitors of other sites are nobody who could sign in: their attempts are never merged.
"""

from bisect import bisect
from contextlib import suppress
from itertools import groupby

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from labeling import bulk_update, question_state, taken_back
from labeling.aggregation import drift, online
from labeling.answers import FIGURES
from labeling.models import (
    Annotator,
    Answer,
    Challenge,
    Comment,
    Membership,
    Practice,
    Question,
    RemovedAnswer,
    SuspectSpell,
    Withdrawal,
)
from labeling.withdrawals import annotators, service

ATTEMPTS = 20  # to lock a visitor and all their challenges
NEARLY_SUSPECT = drift.THRESHOLD * 0.9  # drift score that a merged account has at most by merging

_COLUMNS = (*FIGURES, "suspect_since")
_SUMS = "labels_count", "gold_count", "gold_right"

_MOVE_ANSWERS = """
UPDATE labeling_answer AS answer SET annotator_id = %s
WHERE annotator_id = %s AND NOT EXISTS (
    SELECT FROM labeling_answer AS other
    WHERE other.question_id = answer.question_id AND other.annotator_id = %s
)
"""
_MOVE_FLAGS = """
UPDATE labeling_comment AS comment SET annotator_id = %s
WHERE annotator_id = %s AND NOT EXISTS (
    SELECT FROM labeling_comment AS other
    WHERE other.tile_id = comment.tile_id AND other.kind = comment.kind
        AND other.annotator_id = %s
)
"""


class _ChallengeCame(Exception):
    """A challenge was issued before the annotator was locked; whoever answers it would wait."""


def merge(*, visitor: Annotator, user: User) -> Annotator | None:
    """Give a visitor's answers, captions, challenges and standing to a user's annotator; return it.

    A user who has none yet becomes that annotator, blocked or not. Otherwise everything is moved to
    the user's own and the visitor is deleted; of a question that both answered, the account's
    answer stands and the other is withdrawn. A blocked visitor is left as they are: their answers
    count for nothing, and the account is judged by its own. Return None where the visitor is gone
    or belongs to an account already.
    """
    if _adopt(visitor, user):
        return Annotator.objects.get(user=user)
    account = Annotator.objects.filter(user=user).first()
    if account is not None and account.pk != visitor.pk:
        for _ in range(ATTEMPTS):
            with suppress(_ChallengeCame), transaction.atomic():
                _move_all(visitor.pk, account.pk, user)
                break
        account.refresh_from_db()
    return account


def _adopt(visitor: Annotator, user: User) -> bool:
    """Make a visitor the annotator of a user who has none; return whether it was done."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two tabs sign in at once
        if Annotator.objects.filter(user=user).exists():
            return False
        free = Annotator.objects.filter(pk=visitor.pk, user=None)
        if not free.update(user=user):
            return False
        _move_memberships(visitor.pk, user)
    return True


def _move_all(visitor_id: int, account_id: int, user: User) -> None:
    """Move everything in one transaction and delete the visitor, unless gone or blocked.

    Locks are taken in the order of an answer: challenges, annotators, questions. Raises
    _ChallengeCame.
    """
    challenges = Challenge.objects.filter(annotator=visitor_id).order_by("pk")
    locked = challenges.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True)
    before = len(locked)
    both = _lock_both(visitor_id, account_id)  # from here on, none is issued
    if challenges.count() > before:
        raise _ChallengeCame
    visitor, account = both.get(visitor_id), both.get(account_id)
    if visitor is None or account is None or visitor.blocked or visitor.user_id is not None:
        return
    _lock_questions(visitor, account)
    answered = Answer.objects.filter(annotator=visitor).order_by()
    projects = set(answered.values_list("question__project_id", flat=True).distinct())
    _move_spells(visitor, account)
    _add_standing(visitor, account)
    _move_rows(visitor, account)
    _move_practice(visitor, account)
    _move_memberships(visitor_id, user)
    service.withdraw_all(annotator=visitor, reason=Withdrawal.Reason.MERGED)  # answered by both
    Challenge.objects.filter(annotator=visitor).update(annotator=account)
    Withdrawal.objects.filter(annotator=visitor).update(annotator=account)
    taken_back.move(of=visitor.pk, to=account.pk)
    untold = filter(None, (visitor.untold_until, account.untold_until))
    Annotator.objects.filter(pk=account_id).update(
        answers_count=Answer.objects.filter(annotator=account).count(),
        untold_until=max(untold, default=None),
    )
    visitor.delete()
    for project_id in sorted(projects):
        annotators.request_recomputation(project_id)


def _lock_questions(visitor: Annotator, account: Annotator) -> None:
    """Lock the questions that change: the visitor's captions, and what both have answered."""
    captions = Question.objects.filter(author=visitor).values_list("pk", flat=True)
    own = Answer.objects.filter(annotator=account, question=OuterRef("question"))
    both = Answer.objects.filter(Exists(own), annotator=visitor)
    question_state.lock({*captions, *both.values_list("question_id", flat=True)})


def _lock_both(*ids: int) -> dict[int, Annotator]:
    """Lock annotators in the order of their ids; return those that are there."""
    rows = Annotator.objects.filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in rows.select_for_update(no_key=True, of=("self",))}


def _add_standing(visitor: Annotator, account: Annotator) -> None:
    """Add the visitor's counts to the account's; the greater suspicion counts."""
    sums = zip(account.confusion_counts, visitor.confusion_counts, strict=True)
    account.confusion_counts = online.forget(
        online.ConfusionCounts(*(own + theirs for own, theirs in sums))
    )
    if account.suspect:
        account.reliability = drift.GUESSING
    for name in _SUMS:
        setattr(account, name, getattr(account, name) + getattr(visitor, name))
    inherited = min(visitor.drift_score, NEARLY_SUSPECT)
    account.drift_score = max(account.drift_score, inherited)
    bulk_update.update([account], _COLUMNS)


def _move_spells(visitor: Annotator, account: Annotator) -> None:
    """Let the answers of the visitor's suspect spells weigh nothing under the account either.

    What the account answered in between, on another device, is not among them; and a spell that
    goes on ends with the visitor's last answer: the account's next are its own.
    """
    own = list(account.answers.order_by("pk").values_list("pk", flat=True))
    for spell in visitor.suspect_spells.all():
        inside = visitor.answers.filter(pk__gte=spell.start).order_by("pk")
        if spell.stop is not None:
            inside = inside.filter(pk__lt=spell.stop)
        bad = inside.values_list("pk", flat=True)
        for _, run in groupby(bad, key=lambda pk: bisect(own, pk)):
            ids = list(run)
            SuspectSpell.objects.get_or_create(
                annotator=account,
                start=ids[0],
                defaults={
                    "stop": ids[-1] + 1,
                    "started_at": spell.started_at,
                    "ended_at": spell.ended_at or visitor.seen_at,
                },
            )


def _move_rows(visitor: Annotator, account: Annotator) -> None:
    """Move answers, challenges, captions, flags and the archive."""
    values = [account.pk, visitor.pk, account.pk]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_ANSWERS, values)
        cursor.execute(_MOVE_FLAGS, values)
    Comment.objects.filter(annotator=visitor).delete()  # flagged by both: once is enough
    left = Answer.objects.filter(annotator=visitor, challenge__isnull=False)
    kept = list(left.order_by().values_list("challenge", flat=True).distinct())
    Challenge.objects.filter(annotator=visitor).exclude(pk__in=kept).update(annotator=account)
    Question.objects.filter(author=visitor).update(author=account)
    RemovedAnswer.objects.filter(annotator=visitor).update(
        annotator=account, annotator_name=str(account)
    )


def _move_practice(visitor: Annotator, account: Annotator) -> None:
    """Let whoever practised have practised, in each project."""
    for row in visitor.practice.all():
        own, made = Practice.objects.get_or_create(
            annotator=account,
            project=row.project,
            defaults={"answered": row.answered, "skipped": row.skipped},
        )
        if not made:
            own.answered = max(own.answered, row.answered)
            own.skipped = own.skipped or row.skipped
            own.save(update_fields=["answered", "skipped"])
    visitor.practice.all().delete()


def _move_memberships(visitor_id: int, user: User) -> None:
    """Make the user a member where the visitor was one; what the user was already stays."""
    for row in Membership.objects.filter(annotator=visitor_id):
        if Membership.objects.filter(project=row.project_id, user=user).exists():
            row.delete()
        else:
            Membership.objects.filter(pk=row.pk).update(annotator=None, user=user)
