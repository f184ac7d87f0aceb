"""An answer that was taken back is final: nobody tries what each answer to a question brings."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import challenges, showings, skip_debts, taken_back, withdrawals
from labeling.accounts import merging
from labeling.models import Annotator, Challenge, Project, TakenBack
from labeling.withdrawals import service
from tests.cast import answer, truth

pytestmark = pytest.mark.django_db
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def respond(annotator: Annotator, project: Project, address: str = "") -> Challenge:
    """Answer a grid; return it as it is stored then."""
    challenge = challenges.issue(annotator=annotator, project=project, kind="grid", address=address)
    chosen = [number for number, pk in enumerate(challenge.questions, 1) if truth(pk)]
    challenges.answer(challenge=challenge, selected=chosen)
    return Challenge.objects.select_related("annotator").get(pk=challenge.pk)


def asked(annotator: Annotator, project: Project, address: str = "") -> set[int]:
    """Return all questions that somebody can still be asked, kind by kind."""
    questions: set[int] = set()
    for kind in ("grid", "split", "verify"):
        while challenge := challenges.issue(
            annotator=annotator, project=project, kind=kind, address=address, ahead=True
        ):
            questions |= set(challenge.questions)
    return questions


def withdraw(challenge: Challenge) -> None:
    withdrawals.withdraw_challenge(challenge=challenge)


def undo_and_skip(challenge: Challenge) -> None:
    reopened = withdrawals.undo(challenge=challenge)
    challenges.skip(challenge=reopened)


@pytest.mark.parametrize("take_back", [withdraw, undo_and_skip])
def test_what_somebody_took_back_is_never_asked_of_them_again(shapes, alice, bob, take_back):
    challenge = respond(alice, shapes)
    take_back(challenge)
    assert not alice.answers.exists()
    assert not asked(alice, shapes) & set(challenge.questions)
    assert asked(bob, shapes) & set(challenge.questions), "of others it is"


def test_one_that_was_skipped_and_then_undone_may_be_asked_again(shapes, alice):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    challenges.skip(challenge=challenge)
    withdrawals.undo(challenge=Challenge.objects.get(pk=challenge.pk))
    assert not TakenBack.objects.exists()


def test_a_throw_away_pseudonym_does_not_go_on_where_another_stopped(shapes, alice, bob):
    challenge = respond(alice, shapes, HERE)
    withdrawals.forget(annotator=alice, keep_answers=False, address=HERE)
    newcomer = Annotator.objects.create()
    assert not asked(newcomer, shapes, HERE) & set(challenge.questions)
    assert asked(bob, shapes, ELSEWHERE) & set(challenge.questions)


def test_an_address_is_forgotten_with_its_day_and_whoever_left_with_it(shapes, alice, bob):
    challenge = respond(alice, shapes, HERE)
    withdrawals.withdraw_challenge(challenge=challenge, address=HERE)
    taken_back.note(annotator=bob.pk, questions=[1], project=shapes.pk)
    assert set(TakenBack.objects.exclude(address=0).values_list("annotator", flat=True)) == {
        alice.pk
    }
    bob.delete()
    showings.forget(now=timezone.now() + timedelta(days=3))
    taken_back.forget()
    assert set(TakenBack.objects.values_list("annotator", "address")) == {(alice.pk, 0)}


def test_signing_in_does_not_make_it_new(shapes, mallory, carol):
    account = Annotator.objects.create(user=carol)
    challenge = respond(mallory, shapes)
    withdraw(challenge)
    merging.merge(visitor=mallory, user=carol)
    assert not asked(account, shapes) & set(challenge.questions)


def test_whoever_withdraws_many_is_told_nothing_for_a_day(shapes, alice, monkeypatch):
    Project.objects.update(answers_min=1, settle_at=0.8)
    shapes.refresh_from_db()
    monkeypatch.setattr(service, "MANY", 9)
    first = respond(alice, shapes)
    withdraw(first)
    alice.refresh_from_db()
    assert alice.untold_until is None
    withdraw(respond(alice, shapes))
    alice.refresh_from_db()
    assert alice.untold_until > timezone.now() + timedelta(hours=23)
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    chosen = [number for number, pk in enumerate(challenge.questions, 1) if truth(pk)]
    outcome = challenges.answer(challenge=challenge, selected=chosen)
    assert outcome.recorded and outcome.settled == outcome.disputed == 0


def test_answering_and_withdrawing_does_not_pay_for_skips(shapes, alice):
    alice.skip_debt, alice.skipped_at = skip_debts.FREE, timezone.now()
    alice.save()
    withdraw(respond(alice, shapes))
    alice.refresh_from_db()
    assert alice.skip_debt == skip_debts.FREE


def test_whoever_withdraws_all_can_go_on_answering(shapes, alice):
    for _ in range(2):
        respond(alice, shapes)
    Annotator.objects.filter(pk=alice.pk).update(skip_debt=skip_debts.FREE)
    withdrawals.withdraw_all(annotator=alice)
    alice.refresh_from_db()
    assert alice.skip_debt == skip_debts.FREE, "beyond that, one would have to wait"


def test_what_was_answered_twice_and_merged_is_not_held_against_anybody(shapes, mallory, carol):
    account = Annotator.objects.create(user=carol)
    question = challenges.issue(annotator=mallory, project=shapes, kind="grid").questions[0]
    for each in (mallory, account):
        answer(each, {question: True})
    merging.merge(visitor=mallory, user=carol)
    account.refresh_from_db()
    assert not TakenBack.objects.exists() and account.untold_until is None
