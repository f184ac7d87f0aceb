"""Many rows in one statement."""

import pytest
from django.utils import timezone

from labeling import bulk_update
from labeling.models import Question

pytestmark = pytest.mark.django_db
FIELDS = "state", "probability", "settled_at", "verdict", "decided_by"


def test_each_row_gets_its_own_values(shapes, ada, django_assert_num_queries):
    first, second, third = Question.objects.filter(kind="concept", state="open")[:3]
    first.state, first.probability, first.settled_at = "settled", 0.97, timezone.now()
    second.verdict, second.decided_by = True, ada
    second.priority = 0.123  # not among the fields
    with django_assert_num_queries(1):
        assert bulk_update.update([first, second], FIELDS) == 2
    stored = Question.objects.in_bulk([first.pk, second.pk, third.pk])
    for question in (first, second, third):
        for name in FIELDS:
            assert getattr(stored[question.pk], name) == getattr(question, name)
    assert stored[second.pk].priority != 0.123


def test_rows_that_are_gone_are_passed_over(shapes):
    first, second = Question.objects.filter(kind="caption")[:2]
    Question.objects.filter(pk=first.pk).delete()
    assert bulk_update.update([first, second], FIELDS) == 1
    assert bulk_update.update([], FIELDS) == 0
