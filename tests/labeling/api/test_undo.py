"""Undo over HTTP, as a browser does it."""

import pytest
from django.test import Client

from labeling.models import Answer
from tests.labeling.api.test_challenges import URL, ask, submit

pytestmark = pytest.mark.django_db


def undo(client: Client, token: str):
    return client.post(f"{URL}{token}/undo/", content_type="application/json")


def test_the_last_answer_is_undone_and_given_again(client, shapes):
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[1])
    response = undo(client, shown["token"])
    assert response.status_code == 200
    assert 800 < response.json()["expires_in"] <= 900
    assert response.json()["progress"] == {"answers": 0, "labels": 0}
    assert client.get(shown["tiles"][0]["url"]).status_code == 200
    assert submit(client, shown["token"], selected=[2]).json()["progress"]["answers"] == 9


def test_an_open_challenge_and_an_earlier_one_are_not_undone(client, shapes):
    first, second = ask(client, kind="grid"), ask(client, kind="verify")
    response = undo(client, first["token"])
    assert response.status_code == 409 and response.json()["code"] == "too_late"
    submit(client, first["token"], selected=[])
    submit(client, second["token"], yes=True)
    response = undo(client, first["token"])
    assert response.status_code == 409 and response.json()["code"] == "too_late"
    assert Answer.objects.count() == 10


def test_nobody_undoes_anothers_answer(client, shapes):
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[1])
    stranger = Client()
    assert undo(stranger, shown["token"]).json()["code"] == "foreign"
    assert undo(client, "x" + shown["token"]).json()["code"] == "forged"
    assert Answer.objects.count() == 9


def test_it_asks_for_a_csrf_token(client, shapes):
    shown = ask(client, kind="grid")
    submit(client, shown["token"], selected=[1])
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert undo(strict, shown["token"]).status_code == 403
    assert Answer.objects.count() == 9
