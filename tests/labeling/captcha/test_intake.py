"""What visitors of sites answered becomes answers, once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.captcha import attempts, decks, intake
from labeling.models import Annotator, Answer, Attempt, Challenge, Question, Site
from tests.at_once import run_at_once
from tests.labeling.captcha import birds


def test_a_pass_becomes_an_annotator_with_challenges_and_answers(shop: Site) -> None:
    birds.pass_at(shop)
    assert Answer.objects.count() == 0
    assert intake.take_in() == 1
    (attempt,) = Attempt.objects.all()
    assert attempt.annotator and attempt.annotator.site == shop and attempt.taken_in_at
    challenges = Challenge.objects.filter(annotator=attempt.annotator, passed=True)
    assert challenges.count() == len(attempt.round_seconds)
    stored = dict(Answer.objects.values_list("question", "value"))
    assert stored == dict(zip(attempt.questions, attempt.values, strict=False))
    assert attempt.annotator.gold_right == attempt.annotator.gold_count > 0
    assert intake.take_in() == 0


def test_open_pictures_are_believed_by_who_is_right_about_the_known_ones(shop: Site) -> None:
    some = Question.objects.filter(verdict=None).order_by("pk")
    Question.objects.filter(pk__in=some[4:].values("pk")).delete()
    for number in range(12):
        decks.forget()
        assert birds.pass_at(shop, f"192.0.2.{number}", unknown=True)
    intake.run(seconds=5)
    asked = Question.objects.filter(verdict=None)
    assert len(asked) == 4 and all(question.probability > 0.85 for question in asked)
    assert sum(Attempt.objects.values_list("labels", flat=True)) == (
        Question.objects.filter(state="settled").count()
    )


def test_who_fails_is_recorded_and_believed_nothing(shop: Site) -> None:
    priors = dict(Question.objects.values_list("pk", "probability"))
    for number in range(6):
        attempt = birds.begin(shop, f"192.0.2.{number}")
        birds.answer(attempt, lambda _: True)
        attempt.refresh_from_db()
        assert birds.answer(attempt, lambda _: True, 2).outcome is attempts.Outcome.FAILED
    intake.run(seconds=5)
    assert Answer.objects.count() == 6 * 32 and not Attempt.objects.filter(labels__gt=0)
    assert dict(Question.objects.values_list("pk", "probability")) == pytest.approx(priors)
    assert not Question.objects.filter(answers_count__gt=0)  # nor do they spoil any figure


def test_a_round_that_was_answered_is_taken_in_once_the_time_is_over(shop: Site) -> None:
    attempt = birds.begin(shop)
    slip = next(place for place in range(16) if attempt.known[place] == 1)
    right = birds.truth(attempt)
    birds.answer(attempt, lambda place: right(place) and place != slip)
    assert intake.take_in() == 0
    assert intake.take_in(now=timezone.now() + 2 * attempts.LIFETIME) == 1
    assert Answer.objects.count() == 16


def test_what_is_gone_meanwhile_is_left_out(shop: Site) -> None:
    birds.pass_at(shop)
    (attempt,) = Attempt.objects.all()
    Question.objects.filter(pk=attempt.questions[0]).delete()
    assert intake.take_in() == 1
    assert Answer.objects.count() == len(attempt.values) - 1


def test_one_that_fails_keeps_no_other_waiting(
    shop: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        birds.pass_at(shop, f"192.0.2.{number}")
    broken = Attempt.objects.order_by("created_at")[1]
    record = intake._record

    def fail(attempt: Attempt, challenge: Challenge) -> int:
        if attempt.pk == broken.pk:
            raise ZeroDivisionError
        return record(attempt, challenge)

    monkeypatch.setattr(intake, "_record", fail)
    assert intake.run(seconds=5) == 3
    assert Attempt.objects.get(taken_in_at=None) == broken and str(broken.pk) in caplog.text
    monkeypatch.undo()
    assert intake.run(seconds=5) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_each_attempt_in_once(shop: Site) -> None:
    for number in range(8):
        birds.pass_at(shop, f"192.0.2.{number}")
    taken = run_at_once(*[lambda: intake.run(seconds=5)] * 3)
    assert sum(taken) == 8 == Annotator.objects.filter(site=shop).count()


def test_addresses_are_forgotten_after_two_days_and_attempts_after_a_month(shop: Site) -> None:
    birds.pass_at(shop)
    birds.begin(shop)
    intake.take_in()
    now = timezone.now()
    assert intake.forget(now=now) == 0
    assert not Attempt.objects.filter(address="").exists()
    assert intake.forget(now=now + timedelta(days=3)) == 0
    assert not Attempt.objects.exclude(address="").exists()
    assert intake.forget(now=now + timedelta(days=32)) == 2
    assert Answer.objects.exists()
