"""Whoever changes several questions locks them in the order of their ids: nobody deadlocks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from labeling import answers, challenges, pools
from labeling.inference import priors
from labeling.models import Annotator, Answer, Challenge, Concept, Pool, Project, Question
from labeling.selection import reservations
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)

Change = Callable[[Question, Question], Callable[[], object]]  # prepared, and then made


@pytest.fixture
def pair(shapes: Project) -> tuple[Question, Question]:
    """Two open questions; the table holds the one with the lower id behind the other."""
    asked = Question.objects.filter(kind="concept", state="open", concept__name="circle")
    low, high = asked.order_by("pk")[:2]
    Question.objects.filter(pk=low.pk).update(answers_wanted=1)
    return low, high


def expire_two(low: Question, high: Question) -> Callable[[], object]:
    """Ask for a challenge while so many are pending that the two oldest have to expire."""
    now = timezone.now()
    annotator = Annotator.objects.create(pseudonym="dora")
    until = now + reservations.RESERVATION_TIME
    older, oldest = challenges.MAX_PENDING - 1, challenges.MAX_PENDING
    for age in range(oldest + 1):
        questions = {older: [high.pk], oldest: [low.pk]}.get(age, [])
        Challenge.objects.create(
            project=low.project,
            annotator=annotator,
            kind="grid",
            questions=questions,
            reasons=["wanted"] * len(questions),
            reserved_until=until,
            expires_at=now + timedelta(minutes=30 - age),
        )
    for question in (high, low):
        Question.objects.filter(pk=question.pk).update(reservations=[until])
    return lambda: challenges.issue(annotator=annotator, project=low.project, kind="write")


def record(low: Question, high: Question) -> Callable[[], object]:
    annotator = Annotator.objects.create(pseudonym="dora")
    values = {high.pk: True, low.pk: False}
    reasons = dict.fromkeys(values, Answer.Reason.WANTED)
    return lambda: answers.record(annotator=annotator, values=values, reasons=reasons)


def update_priors(low: Question, high: Question) -> Callable[[], object]:
    assert low.concept is not None
    Concept.objects.filter(pk=low.concept.pk).update(prevalence=0.2, priors_stale=True)
    return lambda: priors.update(low.concept)


def update_answered(low: Question, high: Question) -> Callable[[], object]:
    record(low, high)()
    return update_priors(low, high)


def take_into_slice(low: Question, high: Question) -> Callable[[], object]:
    """Fill a pool whose next pictures in the slice are those of both, and nominated before."""
    pool = Pool.objects.get(concept=low.concept_id, grid=1)
    Question.objects.filter(concept=low.concept_id).update(answers_count=1)
    Question.objects.filter(pk__in=[low.pk, high.pk]).update(slice_key=None)
    Pool.objects.filter(pk=pool.pk).update(frontier=0.0, filled_at=None)
    return lambda: pools.fill(pool.concept, 1)


@pytest.mark.parametrize(
    "change", [expire_two, record, update_priors, update_answered, take_into_slice]
)
def test_a_change_of_two_questions_waits_for_the_first_with_the_second_free(
    pair: tuple[Question, Question], change: Change
) -> None:
    low, high = pair
    make = change(low, high)

    def run() -> None:
        try:
            make()
        finally:
            connection.close()

    locked = Question.objects.select_for_update(no_key=True, nowait=True, of=("self",))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            locked.get(pk=low.pk)
            running = pool.submit(run)
            wait_until_somebody_waits()
            assert locked.get(pk=high.pk)
        running.result()
