"""What came of an answer, over HTTP."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling import checks
from labeling.models import Answer, Challenge, Image
from tests.labeling.api.test_challenges import URL, ask, submit

pytestmark = pytest.mark.django_db


def let_time_pass(by: timedelta) -> None:
    Challenge.objects.update(answered_at=timezone.now() - by)
    Answer.objects.update(created_at=timezone.now() - by)


def test_it_is_too_early_while_the_answer_can_be_taken_back(client, shapes):
    shown = ask(client, kind="grid")
    submitted = submit(client, shown["token"], selected=[]).json()
    response = client.get(f"{URL}{shown['token']}/result/")
    assert response.status_code == 409 and response.json()["code"] == "too_early"
    assert 0 < response.json()["ready_in"] <= submitted["result_in"] == 13


def test_it_tells_each_tile_later(client, shapes):
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[1])
    let_time_pass(timedelta(seconds=60))
    response = client.get(f"{URL}{shown['token']}/result/")
    assert response.status_code == 200 and "no-store" in response["Cache-Control"]
    first, *rest = response.json()["tiles"]
    assert first == {"number": 1, "selected": True, "others": None, "model": None, "state": "open"}
    assert len(rest) == 8 and not any(tile["selected"] for tile in rest)


@pytest.mark.parametrize("drawn", [True, False])
def test_whether_a_model_drew_the_picture_is_told_once_it_cannot_be_undone(client, shapes, drawn):
    Image.objects.update(generated=drawn)
    shown = ask(client, kind="verify")
    assert "generated" not in shown
    assert "generated" not in submit(client, shown["token"], yes=True).json()
    let_time_pass(timedelta(seconds=60))
    assert client.get(f"{URL}{shown['token']}/result/").json()["generated"] is drawn


def test_the_votes_of_others_are_told_as_counts(client, shapes, alice, monkeypatch):
    monkeypatch.setattr(checks, "REVEALED_SHARE", 1.0)
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[])
    question = Challenge.objects.get().questions[0]
    shapes.questions.filter(pk=question).update(state="settled")
    Answer.objects.create(question_id=question, annotator=alice, value=True, reason="wanted")
    let_time_pass(timedelta(seconds=60))
    (first, *_) = client.get(f"{URL}{shown['token']}/result/").json()["tiles"]
    assert first["others"] == {"yes": 1, "no": 0} and first["state"] == "settled"


def test_of_an_unanswered_challenge_nothing_is_told(client, shapes):
    shown = ask(client, kind="grid")
    response = client.get(f"{URL}{shown['token']}/result/")
    assert response.status_code == 409 and response.json()["code"] == "unanswered"


def test_nobody_else_is_told(client, shapes):
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[])
    response = Client().get(f"{URL}{shown['token']}/result/")
    assert response.status_code == 403 and response.json()["code"] == "foreign"
