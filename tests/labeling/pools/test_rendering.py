"""Whoever measures how long pictures take learns nothing: what is nominated is rendered before."""

import pytest
from django.conf import settings

from labeling import pools
from labeling.images import rendering
from labeling.models import Pool, Question, Tile

pytestmark = pytest.mark.django_db


def rendered() -> int:
    return sum(1 for _ in (settings.CACHE_ROOT / "tiles").rglob("*.jpeg"))


def test_what_is_nominated_is_rendered_by_a_worker(
    shapes, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(rendering.render, "apply_async", lambda given, **_: sent.append(given))
    Question.objects.filter(state="open", kind="concept").delete()
    Pool.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        pools.fill_project(shapes)
    nominated = set(
        Question.objects.filter(state="open", kind="concept").values_list("tile", flat=True)
    )
    assert nominated and nominated == {tile for (ids,) in sent for tile in ids}


def test_a_picture_that_is_gone_keeps_no_other_waiting(shapes, tmp_path, settings):
    settings.CACHE_ROOT = tmp_path
    first, second, *_ = Tile.objects.select_related("image").order_by("pk")
    first.image.file.storage.delete(first.image.file.name)
    rendering.render([first.pk, second.pk])
    assert rendered() == 1
