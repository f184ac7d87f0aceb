"""Which concept is asked about first."""

from collections import Counter

import pytest
from django.core.exceptions import ValidationError

from labeling.models import Concept, Question
from labeling.selection import concepts

pytestmark = pytest.mark.django_db


def test_a_concept_of_higher_priority_tends_to_come_first(shapes):
    Question.objects.filter(concept__name="circle").update(priority=0.9)
    Question.objects.filter(concept__name="square").update(priority=0.1)
    circle = Concept.objects.get(name="circle").pk
    first = Counter(next(concepts.by_priority(shapes, 1)).concept for _ in range(60))
    assert first[circle] > 40


@pytest.mark.parametrize("priority", [0.0, -1e-4])
def test_concepts_that_are_worth_nothing_are_asked_about_too(shapes, priority):
    Question.objects.update(priority=priority)
    assert len(set(concepts.by_priority(shapes, 1))) == 2


def test_a_concept_cannot_be_worth_less_than_nothing(shapes):
    concept = Concept.objects.get(name="circle")
    concept.value = -1.0
    with pytest.raises(ValidationError, match="value"):
        concept.full_clean()
