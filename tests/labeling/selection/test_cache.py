"""What selection remembers between choices decides nothing: any cache will do, or none."""

import pytest
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache

from config import cache as shared
from config.cache import SharedCache
from labeling import answers
from labeling.models import Answer, Concept, Question
from labeling.selection import candidates, concepts
from labeling.selection.selector import Selector

pytestmark = pytest.mark.django_db


def of(backend: type, **options: str) -> dict[str, str]:
    return {"BACKEND": f"{backend.__module__}.{backend.__qualname__}", **options}


CACHES = {
    "own": of(LocMemCache),
    "empty": of(DummyCache),
    "away": of(SharedCache, LOCATION="redis://127.0.0.1:1"),
}


@pytest.fixture(params=["shared", *CACHES])
def cache(request, settings, monkeypatch) -> None:
    """The cache that all processes share, or another one."""
    monkeypatch.setattr(shared, "_outage", shared._Outage())
    if request.param in CACHES:
        settings.CACHES = {"default": CACHES[request.param]}


def test_everything_is_asked_and_nothing_twice(alice, shapes, cache, monkeypatch):
    monkeypatch.setattr(candidates, "MAX_ROWS", 4)  # so that Alice is busy
    asked: set[int] = set()
    while grid := Selector(annotator=alice, project=shapes).choose("grid"):
        new = {pick.question for pick in grid.picks}
        assert not asked & new
        asked |= new
        reasons = dict.fromkeys(new, Answer.Reason.WANTED)
        answers.record(annotator=alice, values=dict.fromkeys(new, True), reasons=reasons)
        alice.refresh_from_db()
    open_questions = Question.objects.filter(kind="concept", state="open")
    assert not open_questions.exclude(pk__in=asked).exists()


def test_priorities_are_remembered_for_each_project_and_grid(scenes, django_assert_num_queries):
    Concept.objects.exclude(pk=scenes.concept.pk).update(active=False)
    parts = set(concepts.by_priority(scenes.project, 4))
    Concept.objects.update(active=True)
    wholes = set(concepts.by_priority(scenes.project, 1))
    assert (len(parts), len(wholes)) == (1, 2)
    with django_assert_num_queries(0):
        assert set(concepts.by_priority(scenes.project, 1)) == wholes
        assert set(concepts.by_priority(scenes.project, 4)) == parts
