"""Who is asking: a signed-in user, or the pseudonym in a signed cookie."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import tokens
from labeling.models import Annotator, Challenge

pytestmark = pytest.mark.django_db
URL = "/api/v1/challenges/"


def ask(client: Client, **headers):
    body = {"project": "shapes", "kind": "grid"}
    return client.post(URL, body, content_type="application/json", headers=headers)


def test_a_visitor_is_given_a_pseudonym_and_keeps_it(client, shapes, settings):
    cookie = ask(client).cookies[settings.PSEUDONYM_COOKIE]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    assert cookie["max-age"] > 300 * 24 * 3600
    assert settings.PSEUDONYM_COOKIE not in ask(client).cookies
    assert Annotator.objects.get().challenges.count() == 2


def test_two_visitors_are_two_people(shapes):
    ask(Client())
    ask(Client())
    assert Annotator.objects.count() == 2


def test_a_user_answers_as_themselves(client, shapes, carol):
    client.force_login(carol)
    for _ in range(2):
        assert ask(client).status_code == 201
    assert Annotator.objects.get().user == carol
    assert {challenge.annotator.user for challenge in Challenge.objects.all()} == {carol}


def test_a_visitor_who_signs_in_is_the_user(client, shapes, carol, settings):
    ask(client)
    client.force_login(carol)
    assert settings.PSEUDONYM_COOKIE not in ask(client).cookies
    assert Challenge.objects.latest("created_at").annotator.user == carol


def test_a_cookie_does_not_make_anybody_a_user(client, shapes, carol, bea, settings):
    registered = Annotator.objects.create(user=carol)
    ask(client)
    signed = client.cookies[settings.PSEUDONYM_COOKIE].value
    Annotator.objects.filter(user=None).update(user=bea)
    client.cookies[settings.PSEUDONYM_COOKIE] = signed
    ask(client)
    newest = Challenge.objects.latest("created_at").annotator
    assert newest.user is None and newest != registered


def test_a_script_takes_part_with_its_token(shapes, carol):
    _token, secret = tokens.make(user=carol, name="script", scopes=["annotate"])
    strict = Client(enforce_csrf_checks=True)
    assert ask(strict, authorization=f"Bearer {secret}").status_code == 201
    assert Annotator.objects.get().user == carol
    assert ask(strict, authorization="Bearer wrong").status_code == 401


def test_an_inactive_user_is_a_visitor(client, shapes, carol):
    client.force_login(carol)
    User.objects.update(is_active=False)
    assert ask(client).status_code == 201
    assert Annotator.objects.get().user is None


def test_a_network_of_one_subscriber_counts_as_one_address(shapes, settings):
    settings.CHALLENGE_RATE = 2
    clients = [Client(REMOTE_ADDR=f"2001:db8::{number}") for number in range(1, 5)]
    assert [ask(client).status_code for client in clients] == [201, 201, 429, 429]
    assert ask(Client(REMOTE_ADDR="2001:db8:0:1::1")).status_code == 201


def test_newcomers_from_one_address_are_limited(shapes, settings):
    settings.CHALLENGE_RATE = 2
    statuses = [ask(Client()).status_code for _ in range(4)]
    assert statuses == [201, 201, 429, 429]
    assert Annotator.objects.count() == 2
