"""Signing in: what the browser's visitor answered becomes the account's."""

import pytest
from django.db.models import Count, F

from labeling import challenges, comments, questions, review, withdrawals
from labeling.accounts import merging
from labeling.inference import recompute
from labeling.models import (
    Annotator,
    Answer,
    Challenge,
    Comment,
    Membership,
    Practice,
    Question,
    Tile,
    Withdrawal,
)
from tests.cast import answer, distrust

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(carol) -> Annotator:
    """Return Carol's annotator."""
    return Annotator.objects.create(user=carol)


@pytest.fixture
def wanted(shapes) -> list[int]:
    """Return open questions about concepts."""
    rows = Question.objects.filter(kind="concept", state="open").order_by("pk")
    return list(rows.values_list("pk", flat=True)[:12])


def merge(visitor: Annotator, user) -> Annotator:
    visitor.refresh_from_db()
    account = merging.merge(visitor=visitor, user=user)
    assert account is not None
    return account


def test_a_new_account_becomes_the_visitor(shapes, mallory, carol, wanted):
    answer(mallory, dict.fromkeys(wanted, True))
    Membership.objects.create(project=shapes, annotator=mallory, role="annotator")
    account = merge(mallory, carol)
    assert account.pk == mallory.pk and account.user == carol
    assert account.answers.count() == 12
    assert Membership.objects.get(user=carol).annotator is None


def test_the_accounts_first_answer_stands(shapes, mallory, account, carol, wanted):
    answer(account, {wanted[0]: True, wanted[1]: True})
    answer(mallory, {wanted[1]: False, wanted[2]: False})
    merge(mallory, carol)
    assert {row.question_id: row.value for row in account.answers.all()} == {
        wanted[0]: True,
        wanted[1]: True,
        wanted[2]: False,
    }
    withdrawal = Withdrawal.objects.get()
    assert withdrawal.reason == "merged" and withdrawal.answers == 1
    assert withdrawal.annotator == account
    assert withdrawals.ledger(annotator=account).given == 4
    assert not Annotator.objects.filter(pk=mallory.pk).exists()
    account.refresh_from_db()
    assert account.answers_count == 3
    wrong = Question.objects.annotate(given=Count("answers")).exclude(answers_count=F("given"))
    assert not wrong.exists()


def test_open_challenges_stay_valid_and_answered_ones_come_along(
    shapes, mallory, account, carol, known_tiles
):
    pending = challenges.issue(annotator=mallory, project=shapes, kind="grid")
    failed = challenges.issue(annotator=mallory, project=shapes, kind="grid")
    challenges.answer(challenge=failed, selected=list(range(1, 10)))
    merge(mallory, carol)
    found = challenges.find(challenges.token(pending), account)
    assert challenges.answer(challenge=found, selected=[]).recorded > 0
    assert Challenge.objects.filter(annotator=account, passed=False).exists()


def test_captions_flags_practice_and_memberships_come_along(shapes, mallory, account, carol):
    tile = Tile.objects.filter(image__project=shapes, grid=1).first()
    questions.ask_captions(
        captions=[(tile, "some words")], source="annotator", author=mallory, prior=0.6
    )
    for annotator in (mallory, account):
        comments.flag(tile=tile, kind="broken", annotator=annotator)
    comments.flag(tile=tile, kind="cut_off", annotator=mallory)
    Practice.objects.create(annotator=mallory, project=shapes, answered=3)
    Practice.objects.create(annotator=account, project=shapes, answered=1)
    Membership.objects.create(project=shapes, annotator=mallory, role="annotator")
    Membership.objects.create(project=shapes, user=carol, role="reviewer")
    merge(mallory, carol)
    assert Question.objects.get(author=account).text == "some words"
    flags = Comment.objects.filter(annotator=account).values_list("kind", flat=True)
    assert sorted(flags) == ["broken", "cut_off"]
    assert Practice.objects.get(annotator=account).answered == 3
    assert Membership.objects.get(project=shapes, user=carol).role == "reviewer"


def test_bad_answers_stay_without_weight(shapes, mallory, account, carol, wanted):
    answer(account, {wanted[0]: True})
    distrust(mallory)
    answer(mallory, {wanted[1]: True})
    (bad,) = mallory.answers.all()
    merge(mallory, carol)
    assert bad in account.answers.all()
    assert not Answer.objects.trusted().filter(pk=bad.pk).exists()
    assert Answer.objects.trusted().filter(annotator=account).count() == 1
    account.refresh_from_db()
    assert not account.suspect and account.drift_score > 0
    recompute.run(project=shapes)
    assert not Answer.objects.trusted().filter(pk=bad.pk).exists()


def test_what_the_visitor_got_wrong_counts_against_the_account(mallory, alice, carol, wanted):
    Annotator.objects.filter(pk=alice.pk).update(user=carol)
    Annotator.objects.filter(pk=mallory.pk).update(
        false_positives=30.0, false_negatives=30.0, gold_count=60
    )
    merge(mallory, carol)
    before = alice.reliability
    alice.refresh_from_db()
    assert alice.reliability < before - 0.1
    assert (alice.gold_count, alice.gold_right) == (110, 50)


def test_a_blocked_visitor_is_not_merged_and_a_new_account_of_theirs_is_blocked(
    shapes, mallory, account, carol, ada, wanted
):
    answer(mallory, {wanted[0]: True})
    review.block(annotator=mallory, by=ada)
    merge(mallory, carol)
    assert not account.answers.exists() and mallory.answers.count() == 1
    assert merge(mallory, ada).blocked


def test_a_blocked_account_stays_blocked(shapes, mallory, account, carol, ada, wanted):
    answer(mallory, {wanted[0]: True})
    review.block(annotator=account, by=ada)
    assert merge(mallory, carol).blocked
    recompute.run(project=shapes)
    assert Question.objects.get(pk=wanted[0]).answers_count == 0


def test_every_row_about_an_annotator_is_merged():
    known = {
        "answer",
        "attempt",
        "challenge",
        "comment",
        "membership",
        "practice",
        "question",
        "removedanswer",
        "suspectspell",
        "takenback",
        "withdrawal",
    }
    related = {
        relation.related_model._meta.model_name for relation in Annotator._meta.related_objects
    }
    assert related == known, "say in `accounts.merging` what becomes of these, too"
