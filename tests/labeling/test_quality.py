"""Agreement and calibration are measured, and a short history of both is kept."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import answers, quality, review
from labeling.inference import recompute
from labeling.models import Annotator, Answer, QualityReport, Question
from tests.cast import distrust, truth

pytestmark = pytest.mark.django_db


def answer(annotator: Annotator, values: dict[int, bool], reason: str = "random") -> None:
    answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, reason))


def measure(project) -> QualityReport | None:
    gold = Question.objects.filter(project=project, state="gold", answers_count__gt=0)
    return quality.measure(
        project=project, leave_one_out=dict.fromkeys(gold.values_list("pk", flat=True), 0.8)
    )


def age(row: QualityReport, **time: float) -> None:
    QualityReport.objects.filter(pk=row.pk).update(measured_at=timezone.now() - timedelta(**time))


@pytest.fixture
def questions(shapes) -> list[int]:
    concepts = Question.objects.filter(project=shapes, kind="concept").order_by("pk")
    return list(concepts.values_list("pk", flat=True))


def test_it_keeps_how_far_people_agree_in_the_project_and_on_each_concept(
    shapes, questions, alice, bob
):
    answer(alice, {pk: truth(pk) for pk in questions})
    answer(bob, {pk: truth(pk) ^ (pk % 5 == 0) for pk in questions})
    row = measure(shapes)
    assert row is not None and (row.answers, row.compared) == (96, 48)
    assert row.low < row.alpha < row.high and 0.5 < row.percent < 1
    assert [each["name"] for each in row.concepts] == ["circle", "square"]
    assert sum(each["answers"] for each in row.concepts) == row.answers
    assert quality.latest(project=shapes) == row


def test_gold_tests_the_posterior_without_it(shapes, questions, alice):
    gold = Question.objects.filter(project=shapes, kind="concept", state="gold")
    answer(alice, {question.pk: True for question in gold}, "gold")
    calibration = quality.by_gold(
        project=shapes,
        leave_one_out={q.pk: 0.9 if q.verdict else 0.3 for q in gold} | {987654: 0.5},
    )
    assert calibration.whole.n == len(gold) and calibration.whole.accuracy == 1
    assert [round(each.reliability.confidence, 2) for each in calibration.bins] == [0.7, 0.9]
    assert quality.by_gold(project=shapes, leave_one_out={}) is None


def test_a_reviewers_decision_is_no_gold(shapes, questions, alice, ada):
    """Whoever decides looks at the hardest first: that is no fair sample."""
    question = Question.objects.filter(pk__in=questions, state="open").first()
    answer(alice, {question.pk: True})
    review.decide(question=question, value=True, by=ada)
    assert quality.by_gold(project=shapes, leave_one_out={question.pk: 0.8}) is None


def test_an_answer_tests_the_probability_before_it(shapes, questions, alice, bob):
    question = Question.objects.filter(pk__in=questions, state="open").first()
    Question.objects.filter(pk=question.pk).update(prior=0.3, probability=0.3)
    answer(alice, {question.pk: False})
    first = Answer.objects.get(annotator=alice)
    before = Question.objects.get(pk=question.pk).probability
    answer(bob, {question.pk: True})
    second = Answer.objects.get(annotator=bob)
    assert (first.probability_before, second.probability_before) == (0.3, pytest.approx(before))
    calibration = quality.by_random(project=shapes)
    assert calibration.whole.n == 2
    assert {(each.at_least, each.reliability.n) for each in calibration.bins} >= {(0.7, 1)}


def test_only_questions_drawn_at_random_are_a_fair_sample(shapes, questions, alice):
    open_ones = list(Question.objects.filter(pk__in=questions, state="open")[:3])
    for question, reason in zip(open_ones, ("wanted", "imported", "gold"), strict=True):
        answer(alice, {question.pk: True}, reason)
    assert quality.by_random(project=shapes) is None


def test_distrusted_annotators_test_nothing(shapes, questions, alice, mallory, ada):
    open_ones = Question.objects.filter(pk__in=questions, state="open")
    answer(alice, {open_ones[0].pk: True})
    answer(mallory, {open_ones[1].pk: True, open_ones[2].pk: True})
    assert quality.by_random(project=shapes).whole.n == 3
    first = Answer.objects.filter(annotator=mallory).order_by("pk")[1]
    distrust(mallory, start=first.pk)
    assert quality.by_random(project=shapes).whole.n == 2
    review.block(annotator=mallory, by=ada)
    assert quality.by_random(project=shapes).whole.n == 1


def test_answers_of_people_who_err_tell_how_often_labels_are_right(shapes, questions):
    """Twenty people of whom much is known, right four times in five; .7 of the labels are."""
    dice = random.Random(3)
    Question.objects.filter(pk__in=questions, state="open").update(probability=0.9, prior=0.9)
    open_ones = [pk for pk in questions if Question.objects.get(pk=pk).state == "open"]
    so = {pk: dice.random() < 0.7 for pk in open_ones}
    for number in range(20):
        counts = {"true_positives": 160, "false_negatives": 40}
        counts |= {"true_negatives": 160, "false_positives": 40}
        someone = Annotator.objects.create(pseudonym=f"someone {number}", **counts)
        values = {pk: so[pk] ^ ((pk + number) % 5 == 0) for pk in open_ones}
        rows = [
            Answer(
                question_id=pk,
                annotator=someone,
                value=value,
                reason="random",
                probability_before=0.9,
            )
            for pk, value in values.items()
        ]
        Answer.objects.bulk_create(rows)
    share = quality.by_random(project=shapes).whole
    assert (share.n, share.confidence) == (20 * len(so), pytest.approx(0.9))
    assert share.accuracy == pytest.approx(sum(so.values()) / len(so), abs=0.02)
    assert share.low < 0.7 < share.high


def test_a_report_is_only_kept_when_something_changed(shapes, questions, alice):
    answer(alice, {questions[0]: True})
    assert measure(shapes) is not None
    assert measure(shapes) is None
    answer(alice, {questions[1]: True})
    assert measure(shapes) is not None


def test_the_history_stays_small(shapes, questions, alice):
    kept = []
    for number, hours in enumerate((5.0, 3.5, 3.2, 2.0, 1.9)):
        answer(alice, {questions[number]: True})
        row = measure(shapes)
        age(row, hours=hours)
        kept.append(row.pk)
    answer(alice, {questions[9]: True})
    newest = measure(shapes)
    left = list(QualityReport.objects.values_list("pk", flat=True))
    assert left == [newest.pk, kept[3], kept[1], kept[0]]


def test_the_history_has_few_points_from_the_oldest_on(shapes, monkeypatch):
    monkeypatch.setattr(quality, "POINTS", 5)
    start = timezone.now() - timedelta(days=20)
    for day in range(17):
        QualityReport.objects.create(
            project=shapes,
            measured_at=start + timedelta(days=day),
            answers=day,
            compared=day,
            alpha=day / 20,
            gold={"whole": {"n": day}, "ece": 0.1} if day else None,
        )
    points = quality.history(project=shapes)
    assert [point.compared for point in points] == [0, 4, 8, 12, 16]
    assert (points[0].gold_n, points[0].gold_error) == (None, None)
    assert (points[-1].gold_n, points[-1].gold_error, points[-1].random_error) == (16, 0.1, None)


def test_a_project_without_answers_can_be_measured(shapes):
    row = measure(shapes)
    assert (row.answers, row.alpha, row.gold, row.random) == (0, None, None, None)
    assert quality.history(project=type(shapes).objects.create(slug="other", name="Other")) == []


def test_a_recomputation_makes_a_report(shapes, questions, alice, bob):
    for annotator in (alice, bob):
        answer(annotator, {pk: truth(pk) for pk in questions})
    recompute.run(project=shapes)
    row = quality.latest(project=shapes)
    assert row.alpha == 1
    gold = Question.objects.filter(pk__in=questions, state="gold").count()
    assert (row.gold["whole"]["n"], row.gold["whole"]["accuracy"]) == (gold, 1)
    assert 0.5 < row.gold["whole"]["confidence"] < 1  # as if the gold were unknown
    assert row.random["whole"]["n"] >= 2 * (len(questions) - gold)
