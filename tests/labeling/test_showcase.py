"""The pictures that the first page shows."""

import pytest
from django.core.cache import cache
from django.utils import timezone

from labeling import comments, removal, showcase, welcome
from labeling.models import Import, Project, Question, Recomputation, Tile

pytestmark = pytest.mark.django_db


def test_it_shows_pictures_of_a_public_project_to_anybody(client, shapes):
    assert len(showcase.tiles(shapes)) == showcase.PICTURES
    response = client.get("/pictures/shapes/1/")
    assert response.status_code == 200 and response["Content-Type"] == "image/webp"
    assert 'src="/pictures/shapes/1/"' in client.get("/").content.decode()


@pytest.mark.parametrize("changes", [{"private": True}, {"state": "draft"}, {"state": "archived"}])
def test_it_shows_nothing_of_others(client, shapes, changes):
    Project.objects.update(**changes)
    assert client.get("/pictures/shapes/1/").status_code == 404
    shapes.refresh_from_db()
    assert showcase.tiles(shapes) == []


def test_which_pictures_are_shown_does_not_depend_on_gold(shapes):
    shown = showcase.tiles(shapes)
    Question.objects.filter(state="gold").update(state="settled")
    gold = Question.objects.filter(kind="concept", state="open", tile__in=shown)
    gold.update(state="gold", verdict=True)
    cache.clear()
    assert showcase.tiles(shapes) == shown


def test_what_somebody_found_offensive_is_not_shown(shapes, alice):
    offensive = Tile.objects.get(pk=showcase.tiles(shapes)[0])
    question = offensive.questions.all()[0]
    comments.flag(tile=offensive, kind="offensive", text="", question=question, annotator=alice)
    cache.clear()
    assert offensive.pk not in showcase.tiles(shapes)


def test_a_picture_that_was_removed_is_gone(client, shapes, ada):
    tile = Tile.objects.get(pk=showcase.tiles(shapes)[0])
    removal.remove([tile.image], by=ada, reason="private")
    assert client.get("/pictures/shapes/1/").status_code == 404


@pytest.mark.parametrize("number", ["0", "10", "999999999999999999999"])
def test_there_are_no_others(client, shapes, number):
    assert client.get(f"/pictures/shapes/{number}/").status_code == 404


def test_totals_are_measured_again_once_an_import_has_ended_and_is_worked_in(shapes):
    def labels():
        (card,) = welcome.cards([shapes], None)
        return card.totals.labels

    def settle_one():
        one = Question.objects.filter(concept__isnull=False).exclude(state="settled").first()
        Question.objects.filter(pk=one.pk).update(state="settled")

    before = labels()
    settle_one()
    assert labels() == before  # an answer moves nothing at once
    ended = timezone.now()
    Import.objects.create(project=shapes, kind="answers", state="done", finished_at=ended)
    assert labels() == before + 1
    settle_one()
    Recomputation.objects.update_or_create(project=shapes, defaults={"finished_at": timezone.now()})
    assert labels() == before + 2
