"""Concepts over the API."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from labeling import challenges
from labeling.models import Concept, Question
from tests.cast import answer
from tests.labeling.garden import add

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def circle(shapes) -> Concept:
    return shapes.concepts.get(name="circle")


@pytest.fixture
def square(shapes) -> Concept:
    return shapes.concepts.get(name="square")


def create(client: Client, **body):
    return client.post("/api/v1/projects/shapes/concepts/", body, content_type=JSON)


def change(client: Client, concept: Concept, **body):
    return client.patch(f"/api/v1/concepts/{concept.pk}/", body, content_type=JSON)


def merge(client: Client, concept: Concept, into: object):
    address = f"/api/v1/concepts/{concept.pk}/merge/"
    return client.post(address, {"into": into}, content_type=JSON)


def refused(response, status: int, why: str) -> None:
    assert response.status_code == status, response.content
    assert why in response.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_a_concept_made_by_the_api_is_in_a_visitors_next_challenges(shapes, ada_client):
    visitor = Client()

    def subjects(count: int) -> set[str]:
        body = {"project": "shapes", "kind": "grid"}
        shown = [visitor.post("/api/v1/challenges/", body, content_type=JSON) for _ in range(count)]
        for each in shown:
            visitor.post(
                f"/api/v1/challenges/{each.json()['token']}/skip/",
                content_type="application/json",
            )
        return {each.json()["subject"] for each in shown}

    assert "a ring" not in subjects(3)
    response = create(ada_client, name="ring")
    assert response.status_code == 201
    assert response.json() | {"id": 0, "prevalence": 0} == {
        "id": 0,
        "project": "shapes",
        "name": "ring",
        "phrase": "a ring",
        "definition": "",
        "aliases": [],
        "phrases": {},
        "active": True,
        "value": 1.0,
        "prevalence": 0,
        "merged_into": None,
        "complete": True,
        "version": 0,
    }
    assert "a ring" in subjects(8)
    assert LogEntry.objects.get().change_message == "Added the concept “ring”."


def test_what_keywords_state_is_taken_over(shapes, ada_client):
    image = add(shapes, 40, keywords=["Hoop"])
    concept = create(ada_client, name="ring", aliases=["hoop"]).json()["id"]
    assert Question.objects.get(concept=concept, tile__image=image).stated == 0.9


def test_a_taken_name_conflicts_and_a_wrong_one_is_invalid(shapes, ada_client):
    refused(create(ada_client, name="Circle"), 409, "there is a concept “circle” already")
    refused(create(ada_client, name="x" * 81), 400, "name")
    refused(create(ada_client, name="a\x07b"), 400, "control")
    refused(create(ada_client, name="ring", value=-1), 400, "value")
    refused(create(ada_client, name="ring", active="no"), 400, "active")
    refused(create(ada_client), 400, "name")
    assert shapes.concepts.count() == 2


def test_the_list_leaves_out_what_was_merged(shapes, ada_client, circle, square):
    address = "/api/v1/projects/shapes/concepts/"
    assert [row["name"] for row in ada_client.get(address).json()["results"]] == [
        "circle",
        "square",
    ]
    merge(ada_client, square, circle.pk)
    assert [row["name"] for row in ada_client.get(address).json()["results"]] == ["circle"]
    rows = ada_client.get(f"{address}?merged=true").json()["results"]
    assert {row["name"]: row["merged_into"] for row in rows} == {
        "circle": None,
        "square": circle.pk,
    }


def test_a_concept_is_renamed_and_switched_off(shapes, ada_client, circle):
    body = change(ada_client, circle, name="disc", active=False, value=2).json()
    assert (body["name"], body["phrase"], body["aliases"]) == ("disc", "a disc", ["circle"])
    assert (body["active"], body["value"]) == (False, 2.0)
    body = change(ada_client, circle, name="orb", keep_name=False).json()
    assert (body["name"], body["aliases"]) == ("orb", ["circle"])
    assert ada_client.get(f"/api/v1/concepts/{circle.pk}/").json() == body


@pytest.mark.django_db(transaction=True)
def test_switched_off_by_the_api_it_is_asked_no_more(shapes, ada_client, alice, square):
    assert challenges.issue(annotator=alice, project=shapes, kind="grid") is not None
    change(ada_client, square, active=False)
    grids = [challenges.issue(annotator=alice, project=shapes, kind="grid") for _ in range(4)]
    assert {grid.concept.name for grid in grids if grid} == {"circle"}


def test_concepts_are_merged(shapes, ada_client, alice, circle, square):
    answer(alice, {square.questions.filter(state="open").first().pk: True})
    body = merge(ada_client, square, circle.pk).json()
    assert (body["answers"], body["kept"], body["left"]) == (1, 0, 0)
    assert body["concept"]["aliases"] == ["square"]
    assert body["message"].startswith("Merged “square” into “circle”: ")
    refused(merge(ada_client, square, circle.pk), 409, "“square” was merged into “circle”")
    refused(merge(ada_client, circle, circle.pk), 400, "into itself")
    refused(merge(ada_client, circle, 10**9), 404, "nothing here")
    refused(merge(ada_client, circle, "square"), 400, "into")
    refused(change(ada_client, square, active=True), 409, "change that one")


def test_a_concept_with_answers_is_not_deleted(shapes, ada_client, alice, circle, square):
    answer(alice, {square.questions.filter(state="open").first().pk: True})
    refused(ada_client.delete(f"/api/v1/concepts/{square.pk}/"), 409, "switch it off, or merge it")
    assert ada_client.delete(f"/api/v1/concepts/{circle.pk}/").status_code == 204
    assert [concept.name for concept in shapes.concepts.all()] == ["square"]


@pytest.mark.django_db(transaction=True)
def test_a_challenge_about_a_deleted_concept_is_gone(shapes, ada_client, client, square):
    square.delete()
    body = {"project": "shapes", "kind": "grid"}
    token = client.post("/api/v1/challenges/", body, content_type=JSON).json()["token"]
    circle = shapes.concepts.get()
    assert ada_client.delete(f"/api/v1/concepts/{circle.pk}/").status_code == 204
    address = f"/api/v1/challenges/{token}/answer/"
    refused(client.post(address, {"selected": []}, content_type=JSON), 410, "ask for a new one")
    assert client.post("/api/v1/challenges/", body, content_type=JSON).status_code == 204


def test_what_owners_say_of_two_concepts(ada_client, circle, square):
    address = f"/api/v1/concepts/{circle.pk}/exclusions/"
    assert ada_client.get(address).json() == []
    body = {"concept": square.pk, "together": False}
    said = ada_client.post(address, body, content_type=JSON)
    stated = {"concept": square.pk, "name": "square", "together": False, "by_owner": True}
    assert said.json() == ada_client.get(address).json() == [stated]
    other = f"/api/v1/concepts/{square.pk}/exclusions/"
    assert [each["name"] for each in ada_client.get(other).json()] == ["circle"]
    assert ada_client.delete(f"{other}{circle.pk}/").status_code == 204
    assert ada_client.get(address).json() == []
    refused(ada_client.delete(f"{other}{circle.pk}/"), 409, "Nobody has said anything")
    itself = {"concept": circle.pk, "together": True}
    refused(ada_client.post(address, itself, content_type=JSON), 400, "Choose another concept")
    gone = {"concept": 10**6, "together": True}
    assert ada_client.post(address, gone, content_type=JSON).status_code == 404
    assert ada_client.post(address, {"concept": square.pk}, content_type=JSON).status_code == 400
