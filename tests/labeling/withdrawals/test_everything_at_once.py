"""All that changes answers at once: nothing waits in a circle, and no answer is lost."""

import random

import pytest
from django.contrib.auth.models import User

from labeling import challenges, pace, removal, withdrawals
from labeling.accounts import merging
from labeling.inference import recompute
from labeling.models import Annotator, Challenge, Image, Project, Question
from tests.at_once import run_at_once

pytestmark = pytest.mark.django_db(transaction=True)
REFUSALS = challenges.ChallengeError, pace.TooFast, Annotator.DoesNotExist


def take_part(annotator: Annotator, seed: int) -> int:
    """Answer, undo, withdraw and skip; return how many answers stand or were withdrawn."""
    dice, given = random.Random(seed), 0
    for _ in range(6):
        try:
            given += answer_one(annotator, dice)
        except REFUSALS:
            continue
    return given


def answer_one(annotator: Annotator, dice: random.Random) -> int:
    challenge = challenges.issue(
        annotator=annotator, project=Project.objects.get(), kind="grid", address="192.0.2.1"
    )
    if challenge is None:
        return 0
    if dice.random() < 0.2:
        challenges.skip(challenge=challenge, address="192.0.2.1")
        return 0
    recorded = challenges.answer(challenge=challenge, selected=[1, 2]).recorded
    try:
        if dice.random() < 0.5:
            withdrawals.undo(challenge=Challenge.objects.get(pk=challenge.pk))
            return 0
        if dice.random() < 0.5:
            withdrawals.withdraw_challenge(challenge=challenge)
    except (*REFUSALS, Challenge.DoesNotExist):
        pass
    return recorded


def remove_some() -> None:
    removal.remove(list(Image.objects.order_by("pk")[:3]), by=None, reason="asked for")


def recompute_some() -> None:
    for _ in range(3):
        recompute.run(project=Project.objects.get())


def merge_one(visitor: Annotator, user: User) -> None:
    merging.merge(visitor=visitor, user=user)


def test_every_answer_is_stored_archived_or_withdrawn(shapes, alice, bob, mallory, carol):
    account = Annotator.objects.create(user=carol)
    Annotator.objects.filter(pk__in=[alice.pk, bob.pk]).update(gold_count=0, gold_right=0)
    people = [alice, bob, mallory, account]
    results = run_at_once(
        *(
            lambda person=person, seed=seed: take_part(person, seed)
            for seed, person in enumerate(people)
        ),
        lambda: withdrawals.withdraw_all(annotator=alice),
        lambda: merge_one(mallory, carol),
        remove_some,
        recompute_some,
    )
    failed = [each for each in results if isinstance(each, Exception)]
    assert not failed, failed
    assert withdrawals.ledger(project=shapes).given >= 0
    for question in Question.objects.all():
        assert question.answers_count == question.answers.count()
        assert question.yes_count == question.answers.filter(value=True).count()
    recompute.run(project=shapes)
    for annotator in Annotator.objects.all():
        assert annotator.answers_count == annotator.answers.count()
    assert withdrawals.ledger(project=shapes).given == sum(results[:4])
