"""The challenge over HTTP, as a browser sees it."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from labeling import guides, results
from labeling.models import Annotator, Answer, Challenge, Concept, Project, Question
from tests.cast import truth

pytestmark = pytest.mark.django_db
URL = "/api/v1/challenges/"


def ask(client: Client, **more):
    response = client.post(URL, {"project": "shapes", **more}, content_type="application/json")
    assert response.status_code == 201, response.content
    return response.json()


def submit(client: Client, token: str, **body):
    return client.post(f"{URL}{token}/answer/", body, content_type="application/json")


def challenge_of(shown) -> Challenge:
    return Challenge.objects.get(pk=shown["token"].split(".")[0])


def right_numbers(shown) -> list[int]:
    asked = challenge_of(shown).questions
    return [number for number, question in enumerate(asked, 1) if truth(question)]


def test_it_shows_nine_tiles_of_one_concept(client, shapes):
    shown = ask(client, kind="grid")
    assert shown["columns"] == 3 and len(shown["tiles"]) == 9
    assert shown["before"] == "Select all tiles that show"
    assert shown["subject"] in {"a circle", "a square"}
    assert shown["attribution"] == "Drawn by Ada."
    assert 0 < shown["expires_in"] <= 900
    assert [tile["number"] for tile in shown["tiles"]] == list(range(1, 10))
    for tile in shown["tiles"]:
        response = client.get(tile["url"])
        assert response.status_code == 200 and response["Content-Type"] == "image/jpeg"
        assert "private" in response["Cache-Control"]


def test_it_records_an_answer_for_each_tile(client, shapes, known_tiles):
    shown = ask(client, kind="grid")
    right = right_numbers(shown)
    Challenge.objects.update(created_at=timezone.now() - timedelta(seconds=9))
    response = submit(client, shown["token"], selected=right, seconds=3.2)
    assert response.status_code == 200
    assert response.json()["recorded"] == 9 and response.json()["progress"]["answers"] == 9
    asked = challenge_of(shown)
    stored = {answer.question_id: answer for answer in Answer.objects.filter(challenge=asked)}
    assert [stored[q].value for q in asked.questions] == [n in right for n in range(1, 10)]
    assert {answer.seconds for answer in stored.values()} == {3.2}
    assert asked.passed is True


def test_the_pictures_of_an_answered_challenge_are_not_sent_for_ever(client, shapes):
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[])
    assert client.get(shown["tiles"][0]["url"]).status_code == 200
    cache.clear()
    over = timezone.now() - timedelta(seconds=results.READY_IN + 1)  # it can be undone no more
    Challenge.objects.update(answered_at=over)
    response = client.get(shown["tiles"][0]["url"])
    assert response.status_code == 410 and response.json()["code"] == "expired"


def test_a_stranger_is_shown_nothing_more_once_a_project_is_private(client, shapes):
    shown = ask(client, kind="grid", ahead=True)
    Project.objects.update(private=True)
    response = client.get(shown["tiles"][0]["url"])
    assert response.status_code == 403 and response.json()["code"] == "private"
    shapes.memberships.create(annotator=Annotator.objects.get(), role="annotator")
    assert client.get(shown["tiles"][0]["url"]).status_code == 200


def test_a_second_submission_changes_nothing_and_says_so(client, shapes):
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[])
    before = list(Question.objects.order_by("pk").values())
    response = submit(client, shown["token"], selected=[1, 2])
    assert response.status_code == 409 and response.json()["code"] == "answered"
    assert list(Question.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("kind", ["verify", "write"])
def test_it_asks_one_thing_of_one_picture(client, shapes, kind):
    shown = ask(client, kind=kind)
    assert len(shown["tiles"]) == 1 and shown["kind"] == kind
    body = {"yes": True} if kind == "verify" else {"text": "a shape on white ground"}
    response = submit(client, shown["token"], **body)
    assert response.status_code == 200 and response.json()["recorded"] == 1
    assert response.json()["progress"]["answers"] == 1


def test_it_cuts_one_picture_into_sixteen(client, scenes):
    shown = ask(client, kind="split")
    assert shown["columns"] == 4 and len(shown["tiles"]) == 16
    assert submit(client, shown["token"], selected=[1, 2, 5, 6]).json()["recorded"] == 16


def test_a_concept_that_is_deleted_just_then_is_no_fault(client, shapes, monkeypatch):
    """Its questions were drawn, and it is gone before they are put into words."""

    def summary(concept: int) -> guides.Summary:
        raise Concept.DoesNotExist

    monkeypatch.setattr(guides, "summary", summary)
    response = client.post(URL, {"project": "shapes"}, content_type="application/json")
    assert response.status_code == 410
    assert response.json()["code"] == "expired"
