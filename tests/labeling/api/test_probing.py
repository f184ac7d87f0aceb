"""What a hostile visitor tries, who has read the source: nothing tells them what is gold."""

import pytest
from django.test import Client

from labeling import challenges, project_stats
from labeling.challenges import pending
from labeling.models import Annotator, Answer, Challenge, Project, Question
from tests.cast import answer, member, truth
from tests.labeling.api.test_challenges import URL, ask, submit
from tests.labeling.api.test_undo import undo

pytestmark = pytest.mark.django_db
PROJECT = "/api/v1/projects/shapes/"


def test_the_order_of_ones_own_answers_is_not_that_of_their_questions(client, shapes):
    in_order = []
    for _ in range(2):
        shown = ask(client, kind="grid")
        submit(client, shown["token"], selected=[])
        own = client.get("/api/v1/me/answers/").json()["results"][:9]
        ids = sorted(row["id"] for row in own)
        asked = list(
            Answer.objects.filter(pk__in=ids).order_by("pk").values_list("question", flat=True)
        )
        in_order.append(asked == sorted(asked))
    assert not any(in_order), "gold, which was asked about first, would come first"


def test_an_answer_that_was_undone_does_not_tell_what_another_would_have_changed(
    client, shapes, alice, bob
):
    shown = ask(client, kind="verify")
    challenge = Challenge.objects.get(annotator__pseudonym=Annotator.objects.latest("pk").pseudonym)
    (asked,) = challenge.questions
    Question.objects.filter(pk=asked).update(state="open", verdict=None, probability=0.5)
    for person in (alice, bob):
        answer(person, {asked: truth(asked)})
    first = submit(client, shown["token"], yes=truth(asked)).json()
    assert undo(client, shown["token"]).status_code == 200
    second = submit(client, shown["token"], yes=not truth(asked)).json()
    assert first["disputed"] == 0
    assert (second["settled"], second["disputed"]) == (0, 0)
    assert second["message"] == "1 answer recorded."
    assert second["progress"]["labels"] == 0


def test_visitors_see_counts_that_are_minutes_old_and_owners_those_of_now(client, shapes, carol):
    owner = member(shapes, carol, "owner")
    before = client.get(PROJECT).json()["progress"]
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[1, 2, 3])
    project_stats.forget(shapes)
    assert owner.get(PROJECT).json()["progress"]["answers"] == before["answers"] + 9
    assert client.get(PROJECT).json()["progress"] == before
    assert client.get("/api/v1/projects/").json()["results"][0]["progress"] == before


def test_who_has_to_wait_uses_up_one_pseudonym_and_not_one_for_each_try(
    client, shapes, monkeypatch, settings
):
    def refuse(**_: object) -> None:
        raise challenges.Paused(30.0)

    monkeypatch.setattr(challenges, "issue", refuse)
    body = {"project": "shapes", "kind": "grid"}
    for _ in range(4):
        response = client.post(URL, body, content_type="application/json")
        assert response.status_code == 429
    assert settings.PSEUDONYM_COOKIE in client.cookies
    assert Annotator.objects.count() == 1


def test_who_fetches_ahead_by_the_hundred_does_not_reserve_everything(
    client, shapes: Project, monkeypatch
):
    monkeypatch.setattr(pending, "MAX_PENDING", 1)
    for _ in range(3):
        ask(client, kind="grid", ahead=True)
    reserved = Question.objects.exclude(reservations=[]).count()
    assert 0 < reserved <= 9
    assert len(ask(Client(), kind="grid")["tiles"]) == 9
