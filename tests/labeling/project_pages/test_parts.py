"""The pages of parts: the tick and what it means, single pictures, and drawing gold."""

import pytest

from labeling import parts
from labeling.models import Image, Membership, Question
from tests.labeling.api.endpoints import API

pytestmark = pytest.mark.django_db
PAGE = "/projects/shapes/parts/"


@pytest.fixture
def member(scenes, carol, client):
    def join(role: str):
        Membership.objects.create(project=scenes.project, user=carol, role=role)
        client.force_login(carol)
        return client

    return join


def draw(client, image, rectangles, concept="circle"):
    body = {"image": image, "concept": concept, "rectangles": rectangles}
    return client.post(
        f"{API}projects/shapes/gold/rectangles/", body, content_type="application/json"
    )


def test_an_owner_ticks_it_and_sees_how_far_it_is(member, scenes):
    client = member("owner")
    assert "asked about as a whole" in client.get(PAGE).content.decode()
    client.post(f"{PAGE}change/", {"choice": "ask"})
    page = client.get(PAGE).content.decode()
    assert "Pictures are asked about by their parts" in page and "too small" in page
    client.post(f"{PAGE}change/", {"choice": "restore"})
    parts.run(scenes.project)
    assert "stayed cut" in client.get(PAGE).content.decode()  # their parts are gold
    client.post(f"{PAGE}change/", {"choice": "?"})
    assert "nothing was changed" in client.get(PAGE).content.decode()


def test_the_api_does_the_same(member):
    client, address = member("owner"), f"{API}projects/shapes/parts/"
    asked = client.post(address, {"ask": True}, content_type="application/json").json()
    assert (asked["asked"], asked["cut"], asked["small"]) == (True, 2, 24)
    stopped = {"ask": False, "restore": True}
    client.post(address, stopped, content_type="application/json")
    assert client.get(address).json()["state"] == "restoring"
    assert client.post(address, {}, content_type="application/json").status_code == 400


def test_one_picture_is_cut_and_put_back_or_it_is_said_why_not(member, scenes):
    client = member("owner")
    small = Image.objects.filter(cut_into=0).first()
    client.post(f"/projects/shapes/pictures/{small.pk}/parts/", {"choice": "cut"})
    assert "128 a side" in client.get(PAGE).content.decode()
    Image.objects.filter(pk=small.pk).update(width=128, height=128)
    client.post(f"/projects/shapes/pictures/{small.pk}/parts/", {"choice": "cut"})
    small.refresh_from_db()
    assert small.cut_into == 4
    client.post(f"/projects/shapes/pictures/{small.pk}/parts/", {"choice": "restore"})
    small.refresh_from_db()
    assert small.cut_into == 0 and small.keep_whole


def test_rectangles_are_drawn_on_cut_pictures_without_gold(member, scenes):
    image = scenes.tiles[0].image
    Question.objects.filter(tile__image=image).delete()
    client = member("reviewer")
    page = client.get(f"/projects/shapes/gold/{scenes.concept.pk}/parts/").content.decode()
    assert f'data-image="{image.pk}"' in page and "probability" not in page
    rectangle = {"left": 0, "top": 0, "width": 64.5, "height": 32}
    assert draw(client, image.pk, [rectangle]).json() == {"yes": 2, "no": 13, "unclear": 1}


@pytest.mark.parametrize(
    "rectangle",
    [
        {},
        {"left": -1, "top": 0, "width": 5, "height": 5},
        {"left": "0", "top": 0, "width": 5, "height": 5},
        {"left": 0, "top": 0, "width": 1e300, "height": 5},
        {"left": 0, "top": 0, "width": 500, "height": 5},
    ],
)
def test_bad_rectangles_are_refused_with_a_sentence(member, scenes, rectangle):
    response = draw(member("reviewer"), scenes.tiles[0].image_id, [rectangle])
    assert response.status_code in {400, 409} and response.json()["detail"].endswith(".")


@pytest.mark.parametrize(
    ("role", "sees", "draws", "cuts"),
    [
        ("viewer", 200, 403, 403),
        ("trainer", 200, 403, 403),
        ("reviewer", 200, 200, 403),
        ("owner", 200, 200, 302),
        ("annotator", 404, 404, 404),
    ],
)
def test_each_role_may_what_it_may(member, scenes, role, sees, draws, cuts):
    client, image = member(role), scenes.tiles[0].image_id
    assert client.get(PAGE).status_code == sees
    assert client.get(f"/projects/shapes/gold/{scenes.concept.pk}/parts/").status_code == draws
    assert draw(client, image, []).status_code == draws
    assert client.post(f"{PAGE}change/", {"choice": "stop"}).status_code == cuts
    address = f"/projects/shapes/pictures/{image}/parts/"
    assert client.post(address, {"choice": "cut"}).status_code == cuts
