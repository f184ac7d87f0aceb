"""Nothing is answered that was not seen: what the service refuses, and that nothing is lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import challenges, pace
from labeling.models import Annotator, Answer, Challenge
from tests.at_once import run_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("real_pace")]


def issue(annotator, project, *, seconds_ago: float = 0.0, kind: str = "grid", **options):
    """Issue a challenge that was issued so long ago."""
    challenge = challenges.issue(annotator=annotator, project=project, kind=kind, **options)
    assert challenge is not None
    created_at = timezone.now() - timedelta(seconds=seconds_ago)
    Challenge.objects.filter(pk=challenge.pk).update(created_at=created_at)
    return challenges.find(challenges.token(challenge), Annotator.objects.get(pk=annotator.pk))


def answer(challenge: Challenge, **given):
    given = given or {"selected": []}
    return challenges.answer(challenge=challenge, shown_from=challenge.created_at, **given)


def test_an_answer_that_is_too_fast_leaves_the_challenge_open(shapes, alice):
    challenge = issue(alice, shapes)
    with pytest.raises(pace.TooFast):
        answer(challenge)
    assert not Answer.objects.exists()
    challenge.refresh_from_db()
    assert challenge.answered_at is None and challenge.seconds is None
    challenge.created_at -= timedelta(seconds=1)
    assert answer(challenge).recorded == 9


def test_of_two_presses_at_once_one_is_taken(shapes, alice):
    pending = [issue(alice, shapes, seconds_ago=60, kind="verify") for _ in range(2)]
    outcomes = run_at_once(*(lambda c=c: answer(c, yes=True) for c in pending))
    assert sorted(isinstance(outcome, pace.TooFast) for outcome in outcomes) == [False, True]
    assert Challenge.objects.filter(answered_at=None).count() == 1


def test_answers_of_an_hour_offline_arrive_at_once_and_all_count(shapes, alice):
    pending = [issue(alice, shapes, seconds_ago=3600, kind="verify", ahead=True) for _ in range(6)]
    outcomes = run_at_once(*(lambda c=c: answer(c, yes=True, seconds=20.0) for c in pending))
    assert [outcome.recorded for outcome in outcomes] == [1] * 6
    alice.refresh_from_db()
    taken = alice.answered_until - Challenge.objects.earliest("created_at").created_at
    assert timedelta(seconds=120) <= taken < timedelta(seconds=121)


def test_a_reported_time_is_stored_as_far_as_it_has_passed(shapes, alice):
    answer(issue(alice, shapes, seconds_ago=5), selected=[], seconds=3600.0)
    assert 5 <= Answer.objects.first().seconds < 60


def test_a_caption_takes_time_too(shapes, alice):
    with pytest.raises(pace.TooFast):
        answer(issue(alice, shapes, kind="write"), text="a shape on white")
    answer(issue(alice, shapes, seconds_ago=9, kind="write"), text="a shape on white ground")
    with pytest.raises(pace.TooFast):
        answer(issue(alice, shapes, kind="write"), text="something else")


def test_a_second_submission_is_told_that_it_was_answered(shapes, alice):
    challenge = issue(alice, shapes, seconds_ago=9)
    answer(challenge)
    with pytest.raises(challenges.AlreadyAnswered):
        answer(challenge)
