"""Deleting an account: its answers go or stay, and nothing is left without an owner."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.models import Annotator, Answer, Membership
from tests.labeling.api.test_challenges import ask, submit

pytestmark = pytest.mark.django_db
PASSWORD = "a correct horse"
PATH = "/account/delete/"


@pytest.fixture
def dana(ada, shapes) -> User:
    """Return a user who has answered a grid."""
    user = User.objects.create_user("dana", password=PASSWORD)
    browser = Client()
    browser.force_login(user)
    submit(browser, ask(browser, kind="grid")["token"], selected=[1])
    return user


@pytest.fixture
def browser(dana) -> Client:
    browser = Client()
    browser.force_login(dana)
    return browser


def test_it_takes_the_password_and_a_choice(browser):
    assert browser.get(PATH).status_code == 200
    browser.post(PATH, {"password": "wrong", "answers": "withdraw"})
    browser.post(PATH, {"password": PASSWORD})
    assert User.objects.filter(username="dana").exists() and Answer.objects.count() == 9


def test_the_answers_go_with_it(browser, shapes, dana):
    Membership.objects.create(project=shapes, user=dana, role="annotator")
    response = browser.post(PATH, {"password": PASSWORD, "answers": "withdraw"})
    assert response.status_code == 302 and response["Clear-Site-Data"] == '"storage"'
    assert not User.objects.filter(username="dana").exists()
    assert not Annotator.objects.exists() and not Answer.objects.exists()
    assert not Membership.objects.exists()
    assert "_auth_user_id" not in browser.session
    assert b"Your account is deleted." in browser.get(response.url).content


def test_or_they_stay_under_a_name_that_says_nothing(browser):
    browser.post(PATH, {"password": PASSWORD, "answers": "leave"})
    annotator = Annotator.objects.get()
    assert annotator.user is None and annotator.answers.count() == 9
    assert not User.objects.filter(username="dana").exists()


def test_the_last_owner_and_the_last_administrator_are_refused(browser, shapes, dana, ada):
    shapes.memberships.create(user=dana, role="owner")
    page = browser.post(PATH, {"password": PASSWORD, "answers": "withdraw"})
    assert page.status_code == 409 and b"only owner of Shapes" in page.content
    assert Answer.objects.count() == 9
    chief = Client()
    chief.force_login(ada)
    assert b"only administrator" in chief.get(PATH).content
    page = chief.post(PATH, {"password": "correct horse", "answers": "leave"})
    assert page.status_code == 409 and User.objects.filter(pk=ada.pk).exists()


def test_guesses_of_the_password_are_limited(browser):
    answers = [
        browser.post(PATH, {"password": "wrong", "answers": "leave"}).status_code for _ in range(11)
    ]
    assert answers[-1] == 429
