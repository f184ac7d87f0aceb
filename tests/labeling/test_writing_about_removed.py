"""Something is written about a picture at the moment at which the picture is removed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, transaction

from labeling import comments, examples, gold, presence, removal, review
from labeling.models import Comment, ConceptExample, GoldMark, Image, Question, Tile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHE_ROOT = tmp_path / "cache"


def flag(question, tile, ada, alice):
    comments.flag(tile=tile, kind=Comment.Kind.BROKEN, question=question, user=ada)


def flag_the_tile(question, tile, ada, alice):
    comments.flag(tile=tile, kind=Comment.Kind.BROKEN, annotator=alice)


def remark(question, tile, ada, alice):
    comments.remark(question=question, text="Is it one?", by=ada)


def decide(question, tile, ada, alice):
    review.decide(question=question, value=True, by=ada, note="It is round.")


def reopen(question, tile, ada, alice):
    review.reopen(question=question, by=ada, note="Is it?")


def decide_pair(question, tile, ada, alice):
    review.decide_pair(tile=tile, concept=question.concept, value=False, by=ada)


def choose(question, tile, ada, alice):
    examples.choose(concept=question.concept, tile=tile, kind="yes", by=ada)


def mark_gold(question, tile, ada, alice):
    gold.mark(tile=tile, concept=question.concept, value=True, by=ada)


def set_aside(question, tile, ada, alice):
    origin = GoldMark.Origin.SESSION
    gold.set_aside(tile=tile, concept=question.concept, by=ada, origin=origin)


WRITERS = [
    flag,
    flag_the_tile,
    remark,
    decide,
    reopen,
    decide_pair,
    choose,
    mark_gold,
    set_aside,
]


def while_it_waits(first: Callable[[], object], second: Callable[[], object]) -> object:
    """Do both at once: `second`, on another connection, waits for the transaction of `first`."""

    def on_another_connection() -> object:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '20s'")
            return second()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            result = pool.submit(on_another_connection)
            await_a_waiting_session(result)
        return result.result()


def await_a_waiting_session(result: Future[object]) -> None:
    """Return once another session waits for a lock; fail where it ended without."""
    while not result.done():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), pg_sleep(0.01) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError(f"It did not wait: {result.exception()!r}.")


def some_pair(project):
    question = (
        Question.objects.filter(project=project, concept__isnull=False, state="open")
        .select_related("concept__project", "project", "tile__image__project")
        .first()
    )
    return question, Tile.objects.select_related("image__project").get(pk=question.tile_id)


def test_who_comes_while_a_picture_is_removed_is_told(shapes, ada, alice):
    for write in WRITERS:
        question, tile = some_pair(shapes)
        with pytest.raises(presence.PictureGone, match="removed meanwhile"):
            while_it_waits(
                partial(removal.remove, [tile.image], by=None, reason="private"),
                partial(write, question, tile, ada, alice),
            )


def test_a_removal_waits_for_who_is_writing(shapes, ada, alice):
    for write in WRITERS:
        question, tile = some_pair(shapes)
        while_it_waits(
            partial(write, question, tile, ada, alice),
            partial(removal.remove, [tile.image], by=None, reason="private"),
        )
        assert not Image.objects.filter(pk=tile.image_id).exists()
    for model in (Comment, ConceptExample, GoldMark):
        assert not model.objects.exists()


def test_the_page_and_the_api_say_in_a_sentence_that_it_is_gone(
    shapes, ada, ada_client, monkeypatch
):
    question, _ = some_pair(shapes)

    def removed_just_now(**values):
        raise presence.PictureGone

    monkeypatch.setattr(comments, "remark", removed_just_now)
    page = f"/projects/{shapes.slug}/questions/{question.pk}/comment/"
    response = ada_client.post(page, {"text": "Is it one?"})
    assert response.status_code == 404 and b"removed meanwhile" in response.content
    response = ada_client.post(page, {"text": "Is it one?", "quiet": ""})
    assert response.content.decode() == str(presence.PictureGone())
    response = ada_client.post(
        f"/api/v1/projects/{shapes.slug}/comments/",
        {"question": question.pk, "text": "Is it one?"},
        content_type="application/json",
    )
    assert response.status_code == 404, response.content
    assert "removed meanwhile" in response.json()["detail"]
