"""What is known of annotators."""

import pytest
from django.utils import timezone

from labeling import annotators
from labeling.models import Annotator, Answer, Challenge, Question
from tests.cast import answer, distrust

pytestmark = pytest.mark.django_db


@pytest.fixture
def questions(shapes) -> list[Question]:
    return list(Question.objects.filter(kind="concept").order_by("pk"))


def challenge(annotator: Annotator, questions: list[Question]) -> Challenge:
    return Challenge.objects.create(
        project=questions[0].project,
        annotator=annotator,
        kind="grid",
        tiles=[question.tile_id for question in questions],
        questions=[question.pk for question in questions],
        expires_at=timezone.now(),
    )


def record(annotator: Annotator) -> annotators.Record:
    return annotators.records([annotator])[annotator.pk]


def test_gold_is_counted_by_truth_and_answer(questions, mallory):
    gold = [question for question in questions if question.state == "gold"]
    yes = [question for question in gold if question.verdict]
    no = [question for question in gold if not question.verdict]
    answer(
        mallory, {q.pk: True for q in yes[:2]} | {yes[2].pk: False} | {q.pk: True for q in no[:3]}
    )
    confusion = record(mallory).gold
    assert confusion == annotators.ConfusionMatrix(
        true_positives=2, false_negatives=1, true_negatives=0, false_positives=3
    )
    assert (confusion.sensitivity, confusion.specificity) == (pytest.approx(2 / 3), 0)


def test_where_truth_is_a_probability_the_answer_is_divided(questions, mallory, shapes):
    question = next(question for question in questions if question.state == "open")
    answer(mallory, {question.pk: True})
    Question.objects.filter(pk=question.pk).update(probability=0.7)
    confusion = record(mallory).confusion
    assert (confusion.true_positives, confusion.false_positives) == (
        pytest.approx(0.7),
        pytest.approx(0.3),
    )
    assert confusion.answers == pytest.approx(1)
    assert record(mallory).gold.answers == 0 and record(mallory).gold.sensitivity is None


def test_the_seconds_of_a_challenge_are_shared_among_its_tiles(questions, mallory):
    grid, alone = questions[:9], questions[9:10]
    answer(
        mallory,
        {q.pk: True for q in grid},
        challenge=challenge(mallory, grid),
        seconds=18.0,
    )
    assert record(mallory).seconds == pytest.approx(2.0)
    answer(mallory, {alone[0].pk: True}, challenge=challenge(mallory, alone), seconds=5.0)
    records = record(mallory)
    assert (records.answers, records.timed, records.seconds) == (10, 10, pytest.approx(2.0))


def test_answers_that_nobody_timed_are_left_out_of_the_median(questions, mallory):
    answer(mallory, {questions[0].pk: True})
    assert (record(mallory).timed, record(mallory).seconds) == (0, None)
    answer(mallory, {questions[1].pk: True}, seconds=4.0)
    assert (record(mallory).timed, record(mallory).seconds) == (1, 4.0)


def test_a_record_rests_on_the_newest_answers(questions, mallory, monkeypatch):
    monkeypatch.setattr(annotators, "RECENT", 2)
    for number, question in enumerate(questions[:4]):
        answer(mallory, {question.pk: True}, seconds=float(number))
    assert (record(mallory).answers, record(mallory).seconds) == (2, 2.5)


def test_several_are_looked_up_at_once(questions, alice, bob, mallory, django_assert_num_queries):
    answer(alice, {questions[0].pk: True})
    with django_assert_num_queries(1):
        records = annotators.records([alice, bob, mallory])
    assert [records[each.pk].answers for each in (alice, bob, mallory)] == [1, 0, 0]


def test_whose_interval_lies_below_is_suspect(alice, bob, mallory):
    def known(annotator: Annotator, **counts: float) -> None:
        for name, count in counts.items():
            setattr(annotator, name, count)
        mean, _, _ = annotators.reliability(annotator)
        annotator.reliability = mean
        annotator.save()

    known(mallory, true_positives=40, false_negatives=60, true_negatives=60, false_positives=40)
    known(bob, true_positives=1, false_negatives=8, true_negatives=3, false_positives=4)
    assert bob.reliability < annotators.UNRELIABLE  # but that rests on little
    assert annotators.to_review() == [mallory]
    Annotator.objects.filter(pk=mallory.pk).update(blocked=True)
    assert annotators.to_review() == []


def test_whose_answers_turned_bad_is_suspect_however_good_they_were(alice):
    distrust(alice)
    assert annotators.to_review() == [alice]


def test_only_who_answered_in_a_project_is_suspect_there(shapes, questions, mallory):
    distrust(mallory)
    assert annotators.to_review(project=shapes) == []
    Answer.objects.create(question=questions[0], annotator=mallory, value=True, reason="wanted")
    assert annotators.to_review(project=shapes) == [mallory]
