"""How far a project has come."""

import pytest

from labeling import answers, progress
from labeling.models import Project, Question

pytestmark = pytest.mark.django_db


def test_it_counts_questions_by_state(shapes, alice):
    (first,) = Question.objects.filter(kind="concept", state="open")[:1]
    answers.record(annotator=alice, values={first.pk: True}, reasons={first.pk: "wanted"})
    measured = progress.measure(project=shapes)
    assert (measured.images, measured.questions, measured.gold) == (24, 72, 12)
    assert (measured.open, measured.settled, measured.ambiguous) == (60, 0, 0)
    assert (measured.answers, measured.annotators) == (1, 1)


def test_it_counts_one_project_alone(shapes, alice):
    first = Question.objects.first()
    answers.record(annotator=alice, values={first.pk: True}, reasons={first.pk: "wanted"})
    other = Project.objects.create(slug="other", name="Other")
    assert progress.measure(project=other).answers == 0
