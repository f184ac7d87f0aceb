"""Which challenge is issued where little is left to ask."""

import pytest

from labeling import challenges
from labeling.challenges import supply
from labeling.models import Challenge, Question

pytestmark = pytest.mark.django_db


def test_another_kind_is_asked_when_one_has_nothing_left(alice, shapes, monkeypatch):
    monkeypatch.setattr(supply, "MIX", {"split": 1.0, "verify": 1e-9})
    assert challenges.issue(annotator=alice, project=shapes).kind == "verify"


def test_nothing_is_issued_when_nothing_is_left(alice, shapes):
    Question.objects.all().delete()
    assert challenges.issue(annotator=alice, project=shapes, kind="grid") is None
    assert not Challenge.objects.exists()
