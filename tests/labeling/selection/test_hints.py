"""What a choice remembers: plain values that any cache can hold, and that none has to."""

import json
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache

from labeling import answers
from labeling.models import Answer, Question
from labeling.selection import candidates, concepts, hints
from labeling.selection.selector import Selector

AWAY = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": "redis://127.0.0.1:1",
}
JSON = {"BACKEND": f"{__name__}.JsonCache"}
EMPTY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}


class JsonCache(LocMemCache):
    """A cache that holds nothing but JSON."""

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        super().set(key, json.dumps(value), *args, **kwargs)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        value = super().get(key, None, version)
        return default if value is None else json.loads(value)


@pytest.mark.django_db
@pytest.mark.parametrize("cache", [JSON, EMPTY, AWAY], ids=["json", "empty", "away"])
def test_everything_is_asked_whatever_the_cache_holds(alice, shapes, settings, monkeypatch, cache):
    settings.CACHES = {"default": cache}
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


@pytest.mark.django_db
def test_priorities_are_remembered_for_each_project_and_grid(scenes, django_assert_num_queries):
    assert set(concepts.by_priority(scenes.project, 4)) == {scenes.concept.pk}
    wholes = set(concepts.by_priority(scenes.project, 1))
    assert len(wholes) == 2
    with django_assert_num_queries(0):
        assert set(concepts.by_priority(scenes.project, 1)) == wholes
        assert set(concepts.by_priority(scenes.project, 4)) == {scenes.concept.pk}


def test_a_key_holds_all_that_it_depends_on():
    keys = [
        hints.key(name, *depends_on)
        for name in ("priorities", "cursor")
        for depends_on in ((1, 23), (12, 3), ("1", 23), (1, "grid = 1"), (1, "grid = 4"))
    ]
    assert len(set(keys)) == 10
    assert all(key.isascii() and " " not in key and len(key) < 100 for key in keys)
