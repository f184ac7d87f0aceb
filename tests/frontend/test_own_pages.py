"""The pages of one's own answers and of an account's mail, looked at in a browser."""

import re

import pytest
from django.contrib.auth.models import User
from django.core import mail as django_mail
from playwright.sync_api import Page, expect

from labeling.accounts import mail
from labeling.models import Answer
from tests.browser import sign_in
from tests.frontend.conftest import SEEN
from tests.frontend.test_every_page import faults, faults_at
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_visitor_looks_at_their_answers_and_withdraws_one(page: Page, live_server, shapes, ada):
    page.goto(f"{live_server.url}/take-part/shapes/?kind=verify")
    page.wait_for_selector(SEEN)
    page.get_by_role("button", name=re.compile("^Yes")).click()
    wait_until(Answer.objects.exists)
    page.goto(live_server.url)
    footer = page.get_by_role("contentinfo")
    footer.get_by_role("link", name="Your answers", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your answers")
    assert faults(page) == []
    page.get_by_role("link", name=re.compile("^Withdraw ")).first.click()
    assert faults(page) == []
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page.get_by_text("1 answer is withdrawn")).to_be_visible()
    assert not Answer.objects.exists()
    page.goto(f"{live_server.url}/your-answers/forget-me/")
    assert faults(page) == []


def test_the_pages_of_mail(page: Page, live_server, settings, monkeypatch, shapes, ada: User):
    settings.EMAIL_HOST = "mail.example.org"
    monkeypatch.setattr(mail, "send_later", mail._send)
    mail.ask_to_confirm(ada, "ada@example.net", origin=live_server.url)
    body = str(django_mail.outbox[-1].body)
    link = next(word for word in body.split() if word.startswith("http"))
    addresses = ["password-reset/", "password-reset/sent/", "password-reset/done/"]
    addresses = [f"{live_server.url}/{path}" for path in [*addresses, "password-reset/x/y-z/"]]
    assert faults_at(page, [*addresses, link]) == []
    sign_in(page, ada, live_server.url)
    paths = "account/email/", "account/", "account/delete/", "sign-up/"
    assert faults_at(page, [f"{live_server.url}/{path}" for path in paths]) == []
