"""Numbers that can be finished."""

import pytest
from django.core.cache import cache

from labeling import milestones
from labeling.milestones import Training
from labeling.models import Question

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("labels", "goal"),
    [(0, 10), (9, 10), (10, 20), (37, 40), (99, 100), (120, 150), (1_234, 1_500), (77_204, 80_000)],
)
def test_the_next_goal_is_a_round_number_within_reach(labels, goal):
    assert milestones.next_goal(labels) == goal


def test_no_goal_is_beyond_what_there_is():
    assert milestones.next_goal(14, most=18) == 18


def test_the_nearest_milestone_comes_first(shapes):
    square = shapes.concepts.get(name="square")
    some = Question.objects.filter(concept=square, state="open")[:8]
    Question.objects.filter(pk__in=[q.pk for q in some]).update(state="settled")
    first, second = milestones.of_project(shapes)
    assert (first.phrase, first.labels, first.goal, first.left) == ("a square", 8, 10, 2)
    assert (second.phrase, second.labels, second.goal) == ("a circle", 0, 10)


def test_the_last_goal_is_all_that_can_become_a_label(shapes):
    """Of 24 pictures, six are gold, and one is ambiguous."""
    rest = Question.objects.filter(concept__name="square", state="open")
    ambiguous = rest[0]
    rest.update(state="settled")
    Question.objects.filter(pk=ambiguous.pk).update(state="ambiguous")
    assert [each.phrase for each in milestones.of_project(shapes)] == ["a circle"]
    Question.objects.filter(pk=rest.model.objects.filter(state="settled")[0].pk).update(
        state="open"
    )
    cache.clear()
    first, _ = milestones.of_project(shapes)
    assert (first.labels, first.goal) == (16, 17)


def test_one_answer_does_not_move_the_number_at_once(shapes):
    before = milestones.of_project(shapes)
    Question.objects.filter(state="open").update(state="settled")
    assert milestones.of_project(shapes) == before


def test_the_next_training_is_told_by_the_app_that_trains(shapes, monkeypatch):
    monkeypatch.setattr(milestones, "_sources", [lambda project: None])
    assert milestones.training(shapes) is None
    cache.clear()
    monkeypatch.setattr(milestones, "_sources", [lambda project: Training(37, 50)])
    assert milestones.training(shapes) == Training(37, 50)


def test_concepts_are_named_as_the_question_names_them(client, shapes):
    circle = shapes.concepts.get(name="circle")
    circle.phrases.create(language="ar", phrase="دائرة")
    first, second = milestones.of_project(shapes, ["ar-EG", "en"])
    assert (first.phrase, first.language, first.direction) == ("دائرة", "ar", "rtl")
    assert (second.phrase, second.language, second.direction) == ("a square", "en", "ltr")
    page = client.get("/", headers={"Accept-Language": "ar"}).content.decode()
    assert '<bdi lang="ar" dir="rtl">دائرة</bdi>' in page
