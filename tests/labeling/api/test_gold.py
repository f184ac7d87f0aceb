"""Reviewers mark gold over the API, as on the pages."""

import pytest

from labeling.models import Membership, Question, Tile
from tests.labeling.api.endpoints import API

pytestmark = pytest.mark.django_db
ADDRESS = f"{API}projects/shapes/gold/"
State = Question.State


@pytest.fixture
def reviewer(shapes, carol, client):
    Membership.objects.create(project=shapes, user=carol, role="reviewer")
    client.force_login(carol)
    return client


@pytest.fixture
def question(shapes) -> Question:
    return Question.objects.filter(kind="concept", state=State.OPEN).first()


def send(client, question, **body):
    body = {"tile": question.tile_id, "concept": question.concept.name} | body
    return client.post(ADDRESS, body, content_type="application/json")


def test_progress_says_how_much_is_missing_and_why(reviewer):
    circle, _ = reviewer.get(ADDRESS).json()["results"]
    assert (circle["concept"], circle["yes"], circle["no"]) == ("circle", 3, 3)
    assert circle["missing_yes"] == 1 and circle["why"].startswith("2 more (1 yes, 1 no): ")


def test_a_pair_is_marked_changed_set_aside_and_unmarked(reviewer, question):
    assert send(reviewer, question, value=True).json()["state"] == "gold"
    assert send(reviewer, question, value=False).json()["verdict"] is False
    assert send(reviewer, question, value=None).status_code == 204
    question.refresh_from_db()
    assert question.state == State.OPEN
    send(reviewer, question, value=True)
    address = f"{ADDRESS}?tile={question.tile_id}&concept={question.concept.name}"
    unmarked = reviewer.delete(address).json()
    assert (unmarked["state"], unmarked["verdict"]) == ("settled", True)
    again = reviewer.delete(address)
    assert again.status_code == 409 and "not gold" in again.json()["detail"]


def test_gold_that_is_withdrawn_is_asked_again(reviewer, question):
    send(reviewer, question, value=True)
    address = f"{ADDRESS}?tile={question.tile_id}&concept={question.concept.name}&settle=false"
    assert reviewer.delete(address).json()["verdict"] is None


def test_one_is_replaced_by_another(reviewer, question):
    old = Question.objects.filter(concept=question.concept, state=State.GOLD).first()
    body = {"old": old.pk, "tile": question.tile_id, "concept": "circle", "value": True}
    body["concept"] = question.concept.name
    response = reviewer.post(f"{ADDRESS}replace/", body, content_type="application/json")
    assert response.status_code == 200 and response.json()["id"] == question.pk
    old.refresh_from_db()
    assert old.state == State.SETTLED


def test_proposals_and_sessions_are_listed(reviewer, question):
    of_concept = f"{API}concepts/{question.concept_id}/gold/"
    assert reviewer.get(f"{of_concept}proposals/").json() == []
    shown = reviewer.get(f"{of_concept}session/?count=4").json()
    assert len(shown) == 4 and set(shown[0]) == {"tile", "image"}
    assert reviewer.get(f"{of_concept}session/?count=0").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"concept": "circle", "value": True},
        {"concept": "circle", "value": "yes", "tile": 1},
        {"concept": "circle", "value": True, "tile": 1, "image": 1},
        {"concept": "circle", "value": True, "tile": 1, "origin": "import"},
    ],
)
def test_a_bad_request_is_refused_with_a_sentence(reviewer, body):
    response = reviewer.post(ADDRESS, body, content_type="application/json")
    assert response.status_code == 400 and response.json()["detail"].endswith(".")


@pytest.mark.parametrize("query", ["", "?tile=x&concept=circle", "?tile=" + "9" * 99, "?concept=a"])
def test_a_bad_address_is_refused(reviewer, query):
    assert reviewer.delete(ADDRESS + query).status_code == 400


def test_pictures_of_other_projects_are_not_there(reviewer, question, garden):
    tile = Tile.objects.first()
    tile.image.project = garden
    tile.image.save()
    body = {"tile": tile.pk, "concept": "circle", "value": True}
    assert reviewer.post(ADDRESS, body, content_type="application/json").status_code == 404


@pytest.mark.parametrize(
    ("role", "seen", "marked"),
    [("viewer", 200, 403), ("trainer", 200, 403), ("annotator", 404, 404), ("owner", 200, 200)],
)
def test_each_role_may_what_its_pages_let_it(shapes, carol, client, question, role, seen, marked):
    Membership.objects.create(project=shapes, user=carol, role=role)
    client.force_login(carol)
    assert client.get(ADDRESS).status_code == seen
    assert send(client, question, value=True).status_code == marked
    proposals = f"{API}concepts/{question.concept_id}/gold/proposals/"
    assert client.get(proposals).status_code == marked
