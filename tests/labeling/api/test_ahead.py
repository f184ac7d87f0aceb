"""Challenges that are fetched ahead, and how fast answers may come, over HTTP."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling import challenges
from labeling.models import Annotator, Answer, Challenge, Question

pytestmark = pytest.mark.django_db
URL = "/api/v1/challenges/"


def ask(client: Client, **more):
    body = {"project": "shapes", "kind": "verify", **more}
    return client.post(URL, body, content_type="application/json")


def submit(client: Client, shown, **body):
    return client.post(f"{URL}{shown['token']}/answer/", body, content_type="application/json")


def kept(client: Client):
    return client.get(f"{URL}ahead/shapes/").json()


def test_what_is_fetched_ahead_can_be_answered_for_hours(client, shapes):
    shown = ask(client, ahead=True).json()
    assert 12 * 3600 - 60 < shown["expires_in"] <= 12 * 3600
    assert client.get(shown["tiles"][0]["url"]).status_code == 200
    Challenge.objects.update(created_at=timezone.now() - timedelta(hours=11))
    assert submit(client, shown, yes=True, seconds=4.0).json()["recorded"] == 1


def test_it_is_reserved_no_longer_than_others(client, shapes):
    ask(client, ahead=True)
    question = Question.objects.exclude(reservations=[]).get()
    assert question.reservations[0] - timezone.now() <= timedelta(minutes=2)


def test_only_so_many_are_fetched_ahead_and_none_expires_for_another(client, shapes, settings):
    settings.OFFLINE_CHALLENGES = 3
    first, *_ = [ask(client, ahead=True).json() for _ in range(3)]
    refused = ask(client, ahead=True)
    assert refused.status_code == 409 and refused.json()["code"] == "enough"
    assert ask(client).status_code == 201  # others are still asked
    assert len(kept(client)["challenges"]) == 3
    assert submit(client, first, yes=True).status_code == 200
    assert ask(client, ahead=True).status_code == 201


def test_many_at_once_do_not_push_those_ahead_out(client, shapes):
    ahead = ask(client, ahead=True).json()
    for _ in range(challenges.MAX_PENDING + 2):
        ask(client)
    assert submit(client, ahead, yes=True).status_code == 200


def test_nothing_is_fetched_ahead_where_that_is_turned_off(client, shapes, settings):
    settings.OFFLINE_CHALLENGES = 0
    assert ask(client, ahead=True).json()["code"] == "enough"


def test_no_question_is_asked_twice_among_those_ahead(client, shapes):
    while ask(client, ahead=True, kind="grid").status_code == 201:
        pass
    asked = [pk for challenge in Challenge.objects.all() for pk in challenge.questions]
    assert len(asked) == len(set(asked)) > 9


def test_it_lists_what_can_still_be_answered_and_only_ones_own(client, shapes, settings):
    settings.OFFLINE_CHALLENGES = 7
    assert kept(client) == {"limit": 7, "challenges": []}
    ask(client)
    shown = ask(client, ahead=True).json()
    ((token, seconds),) = [each.values() for each in kept(client)["challenges"]]
    assert token == shown["token"] and 11 * 3600 < seconds <= 12 * 3600
    assert kept(Client())["challenges"] == []
    Challenge.objects.update(expires_at=timezone.now())
    assert kept(client)["challenges"] == []
    assert client.get(f"{URL}ahead/unheard-of/").status_code == 404


def test_fetching_ahead_has_a_limit_of_its_own(client, shapes, settings):
    settings.CHALLENGE_RATE = 1
    assert ask(client).status_code == 201
    assert [ask(client, ahead=True).status_code for _ in range(5)] == [201] * 4 + [429]
    assert ask(client).status_code == 201


@pytest.mark.parametrize("nonsense", [1, "yes", None, []])
def test_ahead_is_yes_or_no(client, shapes, nonsense):
    assert ask(client, ahead=nonsense).status_code == 400
    assert client.post(URL, "[1]", content_type="application/json").status_code == 400


def test_a_double_press_is_refused_and_loses_nothing(client, shapes, real_pace):
    shown = ask(client).json()
    refused = submit(client, shown, yes=True)
    assert refused.status_code == 409
    assert refused.json()["code"] == "too_fast" and 0 < refused.json()["ready_in"] <= 0.3
    Challenge.objects.update(created_at=timezone.now() - timedelta(seconds=9))
    assert submit(client, shown, yes=True, seconds=0.2).json()["code"] == "too_fast"
    assert submit(client, shown, yes=True, seconds=8.0).status_code == 200
    assert Answer.objects.get().seconds == 8.0


def test_an_answer_is_noted_with_the_end_of_its_time(client, shapes, real_pace):
    shown = ask(client, kind="grid").json()
    Challenge.objects.update(created_at=timezone.now() - timedelta(seconds=9))
    assert submit(client, shown, selected=[], seconds=8.0).status_code == 200
    assert Annotator.objects.get().answered_until is not None
