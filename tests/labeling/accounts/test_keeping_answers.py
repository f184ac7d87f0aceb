"""Signing in or up keeps what this browser has answered."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from labeling.models import Annotator, Answer
from tests.labeling.api.test_challenges import ask, submit

pytestmark = pytest.mark.django_db
PASSWORD = "a correct horse"


@pytest.fixture
def dana(ada) -> User:
    """Return a user with a password, in an installation that is set up."""
    return User.objects.create_user("dana", password=PASSWORD)


def sign_in(client: Client):
    return client.post("/sign-in/", {"username": "dana", "password": PASSWORD})


def sign_up(client: Client, name: str):
    fields = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    return client.post("/sign-up/", fields)


def test_signing_up_keeps_answers_and_the_challenge_on_the_screen(client, shapes, ada):
    shown, pending = ask(client, kind="grid"), ask(client, kind="verify")
    submit(client, shown["token"], selected=[1])
    assert sign_up(client, "erin").status_code == 302
    account = Annotator.objects.get(user__username="erin")
    assert account.answers.count() == 9
    assert client.cookies[settings.PSEUDONYM_COOKIE].value == ""
    assert submit(client, pending["token"], yes=True).json()["progress"]["answers"] == 10


def test_signing_in_merges_into_the_account(client, shapes, dana):
    other = Client()
    sign_in(other)
    submit(other, ask(other, kind="grid")["token"], selected=[1])
    submit(client, ask(client, kind="grid")["token"], selected=[1])
    pending = ask(client, kind="verify")
    sign_in(client)
    account = Annotator.objects.get(user=dana)
    assert Annotator.objects.count() == 1
    assert Answer.objects.filter(annotator=account).count() == account.answers_count > 9
    assert submit(client, pending["token"], yes=True).status_code == 200


def test_signing_in_to_the_administration_merges_as_well(client, shapes, dana):
    User.objects.filter(pk=dana.pk).update(is_staff=True)
    submit(client, ask(client, kind="grid")["token"], selected=[1])
    client.post("/admin/login/", {"username": "dana", "password": PASSWORD})
    assert Annotator.objects.get().user == dana
    assert client.cookies[settings.PSEUDONYM_COOKIE].value == ""


def test_a_second_tab_with_the_old_cookie_does_no_harm(client, shapes, dana):
    tab = Client()
    submit(client, ask(client, kind="grid")["token"], selected=[1])
    tab.cookies[settings.PSEUDONYM_COOKIE] = client.cookies[settings.PSEUDONYM_COOKIE].value
    sign_in(client)
    sign_in(tab)
    assert Annotator.objects.count() == 1


def test_a_wrong_password_merges_nothing(client, shapes, dana):
    submit(client, ask(client, kind="grid")["token"], selected=[1])
    client.post("/sign-in/", {"username": "dana", "password": "wrong"})
    assert Annotator.objects.get().user is None


def test_another_site_cannot_sign_a_browser_in(client, shapes, dana):
    submit(client, ask(client, kind="grid")["token"], selected=[1])
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert sign_in(strict).status_code == 403
    assert Annotator.objects.get().user is None
