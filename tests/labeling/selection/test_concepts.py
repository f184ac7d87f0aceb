"""Which concept is asked about first."""

from collections import Counter

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError

from labeling import pools
from labeling.models import Concept, Question
from labeling.selection import concepts

pytestmark = pytest.mark.django_db


def test_a_concept_of_higher_priority_tends_to_come_first(shapes):
    Question.objects.filter(concept__name="circle").update(priority=0.9)
    Question.objects.filter(concept__name="square").update(priority=0.1)
    circle = Concept.objects.get(name="circle").pk
    first = Counter(next(concepts.by_priority(shapes, 1)).concept for _ in range(60))
    assert first[circle] > 40


def test_a_concept_that_was_added_comes_first_before_one_person(shapes):
    set(concepts.by_priority(shapes, 1)), set(concepts.by_priority(shapes, 1))
    Question.objects.update(priority=1)
    blob = Concept.objects.create(project=shapes, name="blob", phrase="a blob")
    pools.prepare(blob)
    cache.clear()
    Question.objects.filter(concept=blob).update(priority=1e-9)
    first = [next(concepts.by_priority(shapes, 1)).concept for _ in range(20)]
    assert first[0] == blob.pk and blob.pk not in first[3:]


def test_a_concept_is_not_new_once_somebody_has_answered(shapes):
    Question.objects.filter(state="open").update(answers_count=1)
    assert {each.new_since for each in concepts.by_priority(shapes, 1)} == {None}


@pytest.mark.parametrize("priority", [0.0, -1e-4])
def test_concepts_that_are_worth_nothing_are_asked_about_too(shapes, priority):
    Question.objects.update(priority=priority)
    assert len(set(concepts.by_priority(shapes, 1))) == 2


def test_a_concept_cannot_be_worth_less_than_nothing(shapes):
    concept = Concept.objects.get(name="circle")
    concept.value = -1.0
    with pytest.raises(ValidationError, match="value"):
        concept.full_clean()
