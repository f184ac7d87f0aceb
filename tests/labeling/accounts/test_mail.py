"""Mail: an address is confirmed before it is used, and nobody learns who has an account."""

import re

import pytest
from django.contrib.auth.models import User
from django.core import mail as django_mail
from django.test import Client

from labeling import tokens
from labeling.accounts import limits, mail

pytestmark = pytest.mark.django_db
PASSWORD = "a correct horse"


@pytest.fixture
def outbox(settings, monkeypatch) -> list[django_mail.EmailMessage]:
    """Configure mail, which is kept in memory and sent at once."""
    settings.EMAIL_HOST = "mail.example.org"
    monkeypatch.setattr(mail, "send_later", mail._send)
    return django_mail.outbox


@pytest.fixture
def dana(ada) -> User:
    """Return a user without an address."""
    return User.objects.create_user("dana", password=PASSWORD)


def link_in(message: django_mail.EmailMessage) -> str:
    found = re.search(r"https?://[^/\s]+(/\S+)", str(message.body))
    assert found is not None
    return found[1]


def add_address(user: User, outbox, address: str = "dana@example.org") -> str:
    browser = Client()
    browser.force_login(user)
    browser.post("/account/email/", {"email": address, "password": PASSWORD})
    return link_in(outbox[-1])


def test_without_mail_no_page_speaks_of_it(client, dana):
    assert b"Forgotten" not in client.get("/sign-in/").content
    assert client.get("/password-reset/").status_code == 404
    assert b"e-mail" not in client.get("/sign-up/").content.lower()
    client.force_login(dana)
    assert client.get("/account/email/").status_code == 404


def test_an_address_is_used_once_it_is_confirmed(client, dana, outbox):
    link = add_address(dana, outbox)
    client.get(link)
    dana.refresh_from_db()
    assert dana.email == ""
    assert client.post(link).status_code == 302
    dana.refresh_from_db()
    assert dana.email == "dana@example.org"
    assert client.post(link).status_code == 410


def test_a_browser_that_was_left_signed_in_does_not_take_the_account_over(dana, outbox):
    browser = Client()
    browser.force_login(dana)
    for password in ("", "not a horse"):
        fields = {"email": "mallory@example.org", "password": password}
        assert b"errorlist" in browser.post("/account/email/", fields).content
    assert not outbox


def test_so_many_messages_a_day_are_sent_to_an_address(dana, outbox, monkeypatch):
    monkeypatch.setattr(limits, "CONFIRMATIONS_PER_ACCOUNT", 100)
    browser = Client()
    browser.force_login(dana)
    for _ in range(limits.MESSAGES_PER_MAIL_ADDRESS + 3):
        browser.post("/account/email/", {"email": "victim@example.org", "password": PASSWORD})
    assert len(outbox) == limits.MESSAGES_PER_MAIL_ADDRESS


def test_a_link_of_an_earlier_address_or_password_is_refused(client, dana, outbox):
    link = add_address(dana, outbox)
    dana.set_password("another horse entirely")
    dana.save()
    assert client.post(link).status_code == 410
    assert client.post("/account/email/forged:token/").status_code == 410


def test_an_address_at_sign_up_is_confirmed_too(client, ada, outbox):
    fields = {"username": "erin", "password1": PASSWORD, "password2": PASSWORD}
    client.post("/sign-up/", {**fields, "email": "erin@example.org"})
    assert User.objects.get(username="erin").email == ""
    client.post(link_in(outbox[0]))
    assert User.objects.get(username="erin").email == "erin@example.org"


def test_the_mail_is_in_the_language_of_whoever_asks_for_it(client, dana, outbox):
    client.post(add_address(dana, outbox))
    german = {"Accept-Language": "de"}
    client.post("/password-reset/", {"email": "dana@example.org"}, headers=german)
    assert "möchte das Passwort des Kontos dana zurücksetzen" in outbox[-1].body


def test_a_password_is_reset_by_mail_once(client, dana, outbox):
    client.post(add_address(dana, outbox))
    tokens.make(user=dana, name="script", scopes=["read"])
    client.post("/password-reset/", {"email": "dana@example.org"})
    link = link_in(outbox[-1])
    page = client.get(link, follow=True)
    fields = {"new_password1": "a new horse 77", "new_password2": "a new horse 77"}
    assert client.post(page.redirect_chain[-1][0], fields).status_code == 302
    dana.refresh_from_db()
    assert dana.check_password("a new horse 77")
    assert not tokens.valid().exists(), "programs of whoever knew the old one are signed out, too"
    assert b"used before" in client.get(link, follow=True).content


def test_nobody_learns_whether_there_is_an_account(client, dana, outbox):
    client.post(add_address(dana, outbox))
    sent = len(outbox)
    known = client.post("/password-reset/", {"email": "dana@example.org"}, follow=True)
    unknown = client.post("/password-reset/", {"email": "nobody@example.org"}, follow=True)
    assert known.redirect_chain == unknown.redirect_chain
    mask = re.compile(rb'(csrf-token" content|csrfmiddlewaretoken" value)="[^"]*"')
    assert mask.sub(b"", known.content) == mask.sub(b"", unknown.content)
    assert len(outbox) == sent + 1


def test_messages_to_an_address_are_limited_alike(client, dana, outbox):
    client.post(add_address(dana, outbox))
    for address in ("dana@example.org", "nobody@example.org"):
        answers = [
            client.post("/password-reset/", {"email": address}).status_code for _ in range(4)
        ]
        assert answers == [302, 302, 302, 429]
