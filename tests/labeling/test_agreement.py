"""Agreement on each concept and in the project as a whole."""

import random

import krippendorff
import numpy as np
import pytest

from labeling import agreement, review
from labeling.models import Annotator, Answer, Question
from tests.cast import answer, truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def contested(shapes, alice, bob, mallory) -> list[Question]:
    """Alice is always right, Bob mostly, Mallory guesses; each left some out."""
    dice = random.Random(2)
    questions = list(Question.objects.filter(kind="concept"))
    for annotator, wrong in ((alice, 0.0), (bob, 0.2), (mallory, 0.5)):
        some = [question.pk for question in questions if dice.random() < 0.8]
        answer(annotator, {pk: truth(pk) ^ (dice.random() < wrong) for pk in some})
    return questions


def table(questions: list[Question]) -> np.ndarray:
    """The answers as annotators × questions, NaN where there are none."""
    votes = Answer.objects.filter(question__in=questions, annotator__blocked=False)
    rows = np.full((Annotator.objects.count(), len(questions)), np.nan)
    places = {question.pk: place for place, question in enumerate(questions)}
    names = sorted(Annotator.objects.values_list("pk", flat=True))
    for annotator, question, value in votes.values_list("annotator_id", "question_id", "value"):
        rows[names.index(annotator), places[question]] = value
    return rows


def test_it_is_measured_on_each_concept(shapes, alice, bob):
    circle, square = shapes.concepts.order_by("name")
    truths = {q.pk: truth(q.pk) for q in Question.objects.filter(concept=circle)}
    answer(alice, truths)
    answer(bob, truths)
    rows = {row.concept: row for row in agreement.measure(project=shapes).concepts}
    assert rows[circle].alpha == 1 and rows[circle].percent == 1
    assert (rows[circle].questions, rows[circle].compared, rows[circle].answers) == (24, 24, 48)
    assert rows[circle].prevalence == 0.5 and rows[circle].settled + rows[circle].open == 18
    assert rows[square].alpha is None and rows[square].answers == 0 and rows[square].open == 18


def test_it_is_what_the_reference_computes_from_the_answers(shapes, contested):
    measured = agreement.measure(project=shapes)
    for row in (measured.whole, *measured.concepts):
        questions = [q for q in contested if row.concept in (None, q.concept)]
        alpha = krippendorff.alpha(table(questions), level_of_measurement="nominal")
        assert row.alpha == pytest.approx(alpha)
        assert row.low < row.alpha < row.high


def test_the_whole_holds_all_concepts(shapes, contested):
    measured = agreement.measure(project=shapes)
    for name in ("questions", "compared", "answers", "settled", "open", "ambiguous"):
        parts = sum(getattr(row, name) for row in measured.concepts)
        assert getattr(measured.whole, name) == parts, name


def test_blocked_annotators_are_left_out(shapes, contested, mallory, ada):
    before = agreement.measure(project=shapes).whole
    review.block(annotator=mallory, by=ada)
    after = agreement.measure(project=shapes).whole
    blocked_answers = Answer.objects.filter(annotator=mallory, question__kind="concept").count()
    assert after.answers == before.answers - blocked_answers
    assert after.alpha == pytest.approx(
        krippendorff.alpha(table(contested), level_of_measurement="nominal")
    )


def test_one_project_says_nothing_about_another(shapes, contested):
    other = type(shapes).objects.create(slug="other", name="Other")
    measured = agreement.measure(project=other)
    assert measured.concepts == []
    assert (measured.whole.answers, measured.whole.alpha, measured.whole.prevalence) == (
        0,
        None,
        None,
    )
