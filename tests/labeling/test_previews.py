"""The preview: what a visitor would be asked first, of which nothing is kept."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import concepts, previews, projects
from labeling.models import Annotator, Answer, Challenge, Membership, Project, Question, Role

pytestmark = pytest.mark.django_db
PREVIEW = "/api/v1/projects/shapes/preview/"


def kept() -> list[object]:
    """Return all that issuing or answering a challenge would change."""
    rows = Question.objects.order_by("pk").values()
    return [list(rows), *(m.objects.count() for m in (Answer, Challenge, Annotator))]


def test_a_draft_shows_its_first_challenge_and_keeps_nothing(shapes: Project, ada_client) -> None:
    Project.objects.update(state="draft")
    before = kept()
    for kind in ("grid", "verify", "write"):
        shown = ada_client.get(PREVIEW, {"kind": kind}).json()
        assert shown["kind"] == kind and shown["token"] == "preview"
        for tile in shown["tiles"]:
            assert ada_client.get(tile["url"])["Content-Type"] == "image/webp"
    assert kept() == before


def test_pictures_that_nobody_was_asked_about_yet_are_shown_too(shapes: Project) -> None:
    Project.objects.update(state="draft")
    shapes.refresh_from_db()
    Question.objects.all().delete()
    shapes.concepts.all().delete()
    concepts.create(project=shapes, name="triangle")
    assert previews.choose(project=shapes, kind="grid") is not None


def test_a_kind_whose_pools_are_empty_is_not_passed_over_for_another(
    shapes: Project, monkeypatch
) -> None:
    Project.objects.update(state="draft")
    shapes.refresh_from_db()
    Question.objects.all().delete()
    shapes.concepts.all().delete()
    concepts.create(project=shapes, name="triangle")
    Question.objects.all().delete()
    monkeypatch.setattr(previews, "MIX", {"grid": 1.0, "write": 1e-9})
    challenge = previews.choose(project=shapes)
    assert challenge is not None and challenge.kind == "grid"


def test_nothing_is_chosen_where_there_is_nothing(ada: User) -> None:
    assert previews.choose(project=projects.create(by=ada, name="Empty")) is None


def test_the_page_says_that_nothing_counts_and_offers_to_publish(shapes, carol, ada_client) -> None:
    Project.objects.update(state="draft")
    text = ada_client.get("/projects/shapes/preview/").content.decode()
    assert "Nothing is reserved, recorded or counted" in text and "Publish" in text
    Membership.objects.create(project=shapes, user=carol, role=Role.VIEWER)
    viewer = Client()
    viewer.force_login(carol)
    text = viewer.get("/projects/shapes/preview/").content.decode()
    assert "Preview" in text and "Publish" not in text


def test_the_page_says_what_is_missing(ada: User, ada_client: Client) -> None:
    empty = projects.create(by=ada, name="Empty")
    text = ada_client.get(f"/projects/{empty.slug}/preview/").content.decode()
    assert "There is nothing to preview yet" in text and "There are no pictures yet" in text


def test_strangers_preview_nothing(shapes: Project, carol: User) -> None:
    client = Client()
    assert client.get(PREVIEW).status_code == 401
    client.force_login(carol)
    assert client.get(PREVIEW).status_code == 404
    assert client.get("/projects/shapes/preview/").status_code == 404
