"""Reservations: a question is asked of no more people at once than it still needs."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from labeling import challenges, review
from labeling.models import Annotator, Answer, Challenge, Concept, Project, Question
from labeling.question_state import ROUNDING
from labeling.selection import reservations

State = Question.State
PEOPLE = 50


def reserved(question: Question) -> int:
    question.refresh_from_db()
    return sum(until > timezone.now() for until in question.reservations)


def reserve(question: Question) -> bool:
    now = timezone.now()
    until = now + reservations.RESERVATION_TIME
    return bool(reservations.reserve([question.pk], project=question.project, until=until, now=now))


@pytest.fixture
def asked(shapes) -> Question:
    question = Question.objects.filter(kind="concept", state=State.OPEN).first()
    question.project = shapes
    return question


def believe(question: Question, **values: object) -> None:
    Question.objects.filter(pk=question.pk).update(**values)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("probability", "answers", "wanted", "needs"),
    [
        (0.5, 0, 0, 2),  # two who agree settle it
        (0.5, 6, 0, 2),
        (0.5, 8, 0, 1),  # the cap allows no more
        (0.85, 1, 0, 1),
        (0.99, 0, 0, 2),  # no question settles on fewer
        (0.99, 2, 5, 3),  # a reviewer asked for more
        (0.5, 9, 11, 2),
        (1.0, 4, 0, 1),
    ],
)
def test_a_question_is_reserved_as_often_as_it_needs(asked, probability, answers, wanted, needs):
    counts = {"answers_count": answers, "answers_weight": answers, "answers_wanted": wanted}
    believe(asked, probability=probability, **counts)
    assert [reserve(asked) for _ in range(needs + 2)] == [True] * needs + [False] * 2
    assert reserved(asked) == needs


@pytest.mark.django_db
def test_answers_that_weigh_nothing_leave_a_question_in_need(asked):
    believe(asked, probability=0.99, answers_count=8, answers_weight=0.1)
    assert [reserve(asked) for _ in range(3)] == [True, True, False]


@pytest.mark.django_db
@pytest.mark.parametrize("state", [State.SETTLED, State.AMBIGUOUS])
def test_a_retired_question_is_not_reserved(asked, state):
    believe(asked, state=state)
    assert not reserve(asked)


@pytest.mark.django_db
def test_skipped_and_answered_questions_go_to_others(alice, shapes):
    for end in (
        challenges.skip,
        lambda challenge: challenges.answer(challenge=challenge, selected=[]),
    ):
        challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
        questions = list(Question.objects.filter(pk__in=challenge.questions, state=State.OPEN))
        assert [reserved(question) for question in questions] == [1] * len(questions)
        end(challenge=challenge) if end is challenges.skip else end(challenge)
        assert questions and not any(reserved(question) for question in questions)


@pytest.mark.django_db
def test_reservations_of_a_forgotten_challenge_expire(alice, bob, asked):
    believe(asked, reservations=[timezone.now() - timedelta(seconds=1)] * 5)
    assert reserve(asked) and reserved(asked) == 1
    asked.refresh_from_db()
    assert len(asked.reservations) == 1


@pytest.mark.django_db
def test_of_two_equal_reservations_one_is_released(asked):
    until = timezone.now() + reservations.RESERVATION_TIME
    believe(asked, reservations=[until, until])
    reservations.release({asked.pk: until})
    assert reserved(asked) == 1


@pytest.mark.django_db
def test_expired_challenges_reserve_nothing(alice, shapes):
    for _ in range(challenges.MAX_PENDING + 3):
        challenges.issue(annotator=alice, project=shapes, kind="verify")
    pending = Challenge.objects.filter(answered_at=None, expires_at__gt=timezone.now())
    asked = {pk for challenge in pending for pk in challenge.questions}
    reserved = Question.objects.exclude(reservations=[])
    assert set(reserved.values_list("pk", flat=True)) <= asked


@pytest.mark.django_db
def test_a_retired_tile_completes_its_picture_and_is_not_asked(alice, scenes):
    Question.objects.filter(grid=4, state=State.OPEN, tile__position__gte=8).update(
        state=State.SETTLED, settled_at=timezone.now()
    )
    challenge = challenges.issue(annotator=alice, project=scenes.project, kind="split")
    assert len(challenge.tiles) == len(challenge.questions) == 16
    assert challenge.reasons[8:] == [Challenge.SHOWN] * 8
    assert challenges.answer(challenge=challenge, selected=[1, 16]).recorded == 8
    assert not Answer.objects.filter(question__state=State.SETTLED).exists()


@pytest.mark.django_db
def test_a_picture_is_asked_of_as_many_as_its_tiles_need(scenes, alice, bob, mallory):
    Concept.objects.exclude(pk=scenes.concept.pk).update(active=False)
    pictures = [
        challenges.issue(annotator=annotator, project=scenes.project, kind="split")
        for annotator in (alice, bob, mallory, Annotator.objects.create(pseudonym="dora"))
    ]
    assert len({tuple(challenge.tiles) for challenge in pictures}) == 2
    eve = Annotator.objects.create(pseudonym="eve")
    assert challenges.issue(annotator=eve, project=scenes.project, kind="split") is None
    challenges.skip(challenge=pictures[0])
    again = challenges.issue(annotator=eve, project=scenes.project, kind="split")
    assert again.tiles == pictures[0].tiles


@pytest.mark.django_db
def test_nobody_waits_for_those_who_are_blocked(mallory, shapes, ada):
    review.block(annotator=mallory, by=ada)
    mallory.refresh_from_db()
    assert challenges.issue(annotator=mallory, project=shapes, kind="grid").questions
    assert not Question.objects.exclude(reservations=[]).exists()


@pytest.mark.django_db
def test_an_answer_that_comes_late_still_counts(alice, asked):
    challenge = challenges.issue(annotator=alice, project=asked.project, kind="grid")
    Question.objects.update(reservations=[])
    Question.objects.filter(pk__in=challenge.questions, state=State.OPEN).update(
        state=State.SETTLED, settled_at=timezone.now()
    )
    assert challenges.answer(challenge=challenge, selected=[1]).recorded == 9
    assert Answer.objects.count() == 9


# The database itself checks each challenge as it is stored: it has reserved each open question that
# it asks, and no question is reserved more often than the cap allows.
_WATCH = """
CREATE FUNCTION watch() RETURNS trigger AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(NEW.questions, NEW.reasons) AS asked(id, asked_for)
        JOIN labeling_question AS q USING (id)
        WHERE asked_for IN ('wanted', 'random') AND (
            q.state <> 'open' OR NOT q.reservations @> ARRAY[NEW.reserved_until]
            OR cardinality(q.reservations) + q.answers_weight > %s
        )
    ) THEN
        RAISE 'a question is asked that is not reserved';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER watch BEFORE INSERT ON labeling_challenge
FOR EACH ROW EXECUTE FUNCTION watch()
"""


@pytest.fixture
def watched(shapes) -> Iterator[Project]:
    with connection.cursor() as cursor:
        cursor.execute(_WATCH, [shapes.answers_cap + 1 - ROUNDING])
    yield shapes
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION watch CASCADE")


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_are_never_asked_for_more_than_is_needed(watched):
    """Everybody asks, and answers, skips or forgets."""
    Question.objects.filter(kind="concept", state=State.OPEN).update(probability=0.5)
    people = [Annotator.objects.create(pseudonym=f"person {n}") for n in range(PEOPLE)]

    def take_part(annotator: Annotator) -> None:
        dice = random.Random(annotator.pk)
        project = Project.objects.get(pk=watched.pk)
        try:
            for _ in range(8):
                challenge = challenges.issue(annotator=annotator, project=project, kind="grid")
                if challenge is None:
                    continue
                if dice.random() < 0.2:
                    challenges.skip(challenge=challenge)
                    continue
                numbers = range(1, len(challenge.tiles) + 1)
                challenges.answer(
                    challenge=challenge, selected=[n for n in numbers if dice.random() < 0.5]
                )
        finally:
            connection.close()

    with ThreadPoolExecutor(PEOPLE) as pool:
        list(pool.map(take_part, people))
    asked = Question.objects.filter(kind="concept").exclude(state=State.GOLD)
    unchecked = asked.exclude(answers__reason=Answer.Reason.CHECK)
    # The last answer may weigh more than was reserved for it: its author has proved more since.
    assert max(unchecked.values_list("answers_weight", flat=True)) <= watched.answers_cap + 1
    assert not asked.filter(answers_count__lt=watched.answers_min, state=State.SETTLED).exists()
    assert not asked.exclude(reservations=[]).exists()
    given = Counter(Answer.objects.values_list("question", flat=True))
    assert all(given[q.pk] == q.answers_count for q in asked)


@pytest.mark.django_db(transaction=True)
def test_fifty_who_reserve_one_question_get_it_as_often_as_it_needs(asked):
    believe(asked, probability=0.5, answers_count=4)

    def try_it(_: int) -> bool:
        try:
            return reserve(asked)
        finally:
            connection.close()

    with ThreadPoolExecutor(PEOPLE) as pool:
        count = sum(pool.map(try_it, range(PEOPLE)))
    assert 1 <= count <= 2 and reserved(asked) == count
