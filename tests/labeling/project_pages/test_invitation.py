"""The page of an invitation tells what it is for; only its button accepts it."""

import logging

import pytest
from django.test import Client

from config.logs import HideTokens
from labeling import members
from labeling.models import Annotator, Invitation, Membership, Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(shapes, olga):
    """Return a function that makes an invitation and returns its address."""

    def invite(role: str = "reviewer", **options) -> str:
        _, token = members.invite(project=shapes, role=role, by=olga, **options)
        return f"/invitations/{token}/"

    return invite


@pytest.fixture
def carols(carol) -> Client:
    client = Client()
    client.force_login(carol)
    return client


def test_opening_a_link_accepts_nothing(carols, address):
    response = carols.get(address())
    page = response.content.decode()
    assert response.status_code == 200
    assert "olga" in page and "Shapes" in page and "<b>reviewer</b>" in page
    assert "decide what is true of them" in page
    assert Membership.objects.count() == 1 and Invitation.objects.get().uses == 0


def test_its_button_makes_a_member_who_lands_in_the_project(carols, carol, address):
    response = carols.post(address())
    assert response.url == "/projects/shapes/"
    assert Membership.objects.get(user=carol).role == "reviewer"


def test_it_is_not_accepted_from_another_site(carol, address):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(carol)
    assert strict.post(address()).status_code == 403
    assert Membership.objects.count() == 1


def test_its_address_leaks_to_no_other_site_and_no_cache(carols, address):
    response = carols.get(address())
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"] and response["X-Robots-Tag"] == "noindex"


def test_its_token_is_not_logged(client, address, carol, caplog):
    logged = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(self.format(record))

    keep = Keep()
    keep.addFilter(HideTokens())
    logging.getLogger("django.request").addHandler(keep)
    token_address = address(for_username="carol")
    try:
        Invitation.objects.update(uses=1)
        assert client.get(token_address).status_code == 410
    finally:
        logging.getLogger("django.request").removeHandler(keep)
    assert logged == ["Gone: /invitations/…/"]


def test_somebody_not_signed_in_comes_back_to_accept(client, address, carol):
    link = address()
    page = client.get(link).content.decode()
    assert f"/sign-in/?next={link}" in page and f"/sign-up/?next={link}" in page
    assert "<button" not in page[page.index("<main") : page.index("</main>")]
    assert client.post(link).status_code == 409 and Membership.objects.count() == 1
    body = {"username": "dora", "password1": "correct horse 7", "password2": "correct horse 7"}
    assert client.post("/sign-up/", {**body, "next": link}).url == link


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_signing_up_leads_to_no_other_site(client, db, elsewhere):
    body = {"username": "dora", "password1": "correct horse 7", "password2": "correct horse 7"}
    assert client.post("/sign-up/", {**body, "next": elsewhere}).url in ("/", "/set-up/")


def test_a_visitor_takes_part_without_an_account(client, shapes, address):
    link = address("annotator", uses_max=None)
    assert "Take part without an account" in client.get(link).content.decode()
    response = client.post(link)
    assert response.url == "/take-part/shapes/"
    membership = Membership.objects.get(role="annotator")
    assert membership.annotator == Annotator.objects.get()
    assert client.post(link).url == "/take-part/shapes/"  # the same visitor, by the cookie
    assert Invitation.objects.get().uses == 1


def test_an_invitation_for_somebody_else_says_so(carols, bea, address):
    response = carols.get(address(for_username="bea"))
    assert response.status_code == 403
    page = response.content.decode()
    assert "for somebody else" in page and "carol" in page and "Shapes" not in page


def test_one_that_is_used_up_says_so(carols, bea, address):
    link = address()
    other = Client()
    other.force_login(bea)
    other.post(link)
    response = carols.get(link)
    assert response.status_code == 410 and "used already" in response.content.decode()
    assert carols.post(link).status_code == 410


def test_who_reopens_an_accepted_link_is_led_to_the_project(carols, address):
    link = address()
    carols.post(link)
    page = carols.get(link).content.decode()
    assert "You are a member of" in page and "/projects/shapes/" in page


def test_who_could_lose_a_role_is_told_to_ask(carols, carol, shapes, address):
    Membership.objects.create(project=shapes, user=carol, role="trainer")
    response = carols.post(address())
    assert response.status_code == 409 and "Ask an owner" in response.content.decode()


def test_guessing_is_slowed_down(client, db):
    statuses = [client.get(f"/invitations/guess-{n}/").status_code for n in range(22)]
    assert statuses == [404] * 20 + [429] * 2


def test_names_are_text_and_no_markup(carols, shapes, address):
    Project.objects.filter(pk=shapes.pk).update(name="<script>alert(1)</script>")
    assert "<script>alert" not in carols.get(address()).content.decode()
