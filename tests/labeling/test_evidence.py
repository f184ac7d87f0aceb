"""Whose answers are evidence."""

import pytest
from django.utils import timezone

from labeling import answers, evidence
from labeling.models import Answer, Question
from tests.cast import distrust

pytestmark = pytest.mark.django_db


@pytest.fixture
def questions(shapes) -> list[Question]:
    open_questions = Question.objects.filter(kind="concept", state="open").order_by("pk")
    return list(open_questions.select_related("project")[:6])


def say_yes(annotator, questions: list[Question]) -> list[int]:
    """Answer one after the other; return the ids of the answers."""
    for question in questions:
        answers.record(
            annotator=annotator, values={question.pk: True}, reasons={question.pk: "wanted"}
        )
    return list(annotator.answers.order_by("pk").values_list("pk", flat=True))


def answered(questions: list[Question]) -> set[int]:
    return {pk for pk, ratios in evidence.by_question(questions).items() if ratios}


def test_answers_of_the_blocked_are_none(questions, mallory):
    say_yes(mallory, questions)
    mallory.blocked = True
    mallory.save()
    assert answered(questions) == set()
    assert not Answer.objects.counted().exists() and not Answer.objects.trusted().exists()


def test_answers_of_every_suspect_spell_are_none(questions, mallory):
    ids = say_yes(mallory, questions)
    mallory.refresh_from_db()
    for start, stop in ((1, 2), (3, 5)):
        distrust(mallory, start=ids[start])
        mallory.end_suspect_spell(stop=ids[stop], now=timezone.now())
    mallory.save()
    assert answered(questions) == {questions[n].pk for n in (0, 2, 5)}
    assert set(Answer.objects.trusted().values_list("pk", flat=True)) == {ids[n] for n in (0, 2, 5)}
    assert Answer.objects.counted().count() == 6


def test_a_spell_in_which_nothing_was_answered_is_forgotten(questions, mallory):
    (first, *_) = say_yes(mallory, questions)
    mallory.refresh_from_db()
    distrust(mallory, start=first)
    mallory.end_suspect_spell(stop=first, now=timezone.now())
    assert not mallory.suspect and not mallory.suspect_spells.exists()


def test_ones_own_answers_can_be_left_out(questions, alice, bob):
    say_yes(alice, questions)
    say_yes(bob, questions[:2])
    ratios = evidence.by_question(questions, excluding=alice)
    assert {pk for pk, each in ratios.items() if each} == {each.pk for each in questions[:2]}
