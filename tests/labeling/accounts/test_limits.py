"""Guessing passwords ends soon, mistyping does not, and nobody is locked out for long."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.accounts import limits

pytestmark = pytest.mark.django_db
PASSWORD = "a long sentence of mine"
TRY_AGAIN = "then try again"
DOORS = ["/sign-in/", "/admin/login/"]


@pytest.fixture(autouse=True)
def one_moment(monkeypatch):
    """Time stands still, until a test moves it on."""
    clock = [1_000_000_000.0]
    monkeypatch.setattr(limits, "_now", lambda: clock[0])
    return clock


@pytest.fixture
def bea(bea: User) -> User:
    """Give Bea a password, with which staff may use both doors."""
    bea.set_password(PASSWORD)
    bea.save()
    return bea


def sign_in(name="bea", password="wrong", *, address="10.0.0.1", door="/sign-in/"):
    body = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(door, body)


def is_refused(response) -> bool:
    return TRY_AGAIN in response.content.decode()


@pytest.mark.parametrize("door", DOORS)
def test_guessing_one_password_ends_soon(bea, door):
    refused = [is_refused(sign_in(door=door)) for _ in range(15)]
    assert refused == [False] * 10 + [True] * 5
    assert is_refused(sign_in(password=PASSWORD, door=door))


def test_both_doors_count_together(bea):
    for number in range(limits.PER_ACCOUNT_AND_ADDRESS):
        sign_in(door=DOORS[number % 2])
    assert all(is_refused(sign_in(door=door)) for door in DOORS)


def test_a_refusal_says_so_in_its_status(bea):
    statuses = [sign_in().status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]


@pytest.mark.parametrize("door", DOORS)
def test_whoever_mistypes_three_times_signs_in_with_the_fourth(bea, door):
    for _ in range(3):
        assert not is_refused(sign_in(door=door))
    assert sign_in(password=PASSWORD, door=door).status_code == 302


def test_signing_in_often_is_no_attempt_at_anything(bea, monkeypatch):
    monkeypatch.setattr(limits, "PER_ADDRESS", 12)
    monkeypatch.setattr(limits, "PER_ACCOUNT", 12)
    for _ in range(2 * limits.PER_ADDRESS):
        assert sign_in(password=PASSWORD).status_code == 302


def test_a_lock_ends_by_itself(bea, one_moment):
    for _ in range(15):
        sign_in()
    assert is_refused(sign_in(password=PASSWORD))
    one_moment[0] += limits.WINDOW
    assert sign_in(password=PASSWORD).status_code == 302


def test_others_at_other_addresses_lock_nobody_out_where_they_are_known(bea, monkeypatch):
    monkeypatch.setattr(limits, "PER_ACCOUNT", 12)
    assert sign_in(password=PASSWORD, address="192.0.2.7").status_code == 302
    for number in range(15):
        sign_in(address=f"10.0.0.{number}")
    assert is_refused(sign_in(address="10.0.1.1"))
    assert sign_in(password=PASSWORD, address="192.0.2.7").status_code == 302


def test_one_password_is_not_tried_on_many_accounts(bea, monkeypatch):
    monkeypatch.setattr(limits, "PER_ADDRESS", 12)
    refused = [is_refused(sign_in(f"user{number}")) for number in range(limits.PER_ADDRESS + 5)]
    assert refused == [False] * limits.PER_ADDRESS + [True] * 5


def test_a_network_of_addresses_counts_as_one(bea):
    refused = [is_refused(sign_in(address=f"2001:db8::{number:x}")) for number in range(1, 13)]
    assert refused[-2:] == [True, True]
    assert not is_refused(sign_in(address="2001:db8:0:1::1"))


def test_a_header_does_not_make_another_address(bea):
    for number in range(12):
        headers = {"x-forwarded-for": f"203.0.113.{number}"}
        body = {"username": "bea", "password": "wrong"}
        response = Client(REMOTE_ADDR="10.0.0.1", headers=headers).post("/sign-in/", body)
    assert is_refused(response)


@pytest.mark.parametrize("name", ["BEA", "ｂｅａ", "Bea"])
def test_spelling_the_name_otherwise_is_no_way_around(bea, name):
    for _ in range(limits.PER_ACCOUNT_AND_ADDRESS):
        sign_in()
    assert is_refused(sign_in(name))


def test_nothing_tells_whether_an_account_exists(bea):
    def answers(name: str) -> list[tuple[int, str]]:
        responses = [sign_in(name, address=f"{name}") for _ in range(12)]
        return [(r.status_code, r.context["form"].errors.as_text()) for r in responses]

    assert answers("bea") == answers("nobody")


@pytest.mark.parametrize("door", [*DOORS, "/sign-up/"])
def test_strange_names_and_passwords_are_no_server_error(door):
    for name in ("", "%00", "x" * 10_000, "%ED%A0%80", "%FF", "%F0%9F%92%A9"):
        body = f"username={name}&password={'x' * 5000}&password1=%00"
        response = Client().post(door, body, content_type="application/x-www-form-urlencoded")
        assert response.status_code == 200, name


def sign_up(name: str):
    body = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    return Client().post("/sign-up/", body)


def test_an_address_is_given_so_many_accounts_a_day(ada, settings):
    settings.NEWCOMERS_PER_ADDRESS = 2
    assert sign_up("someone_20x").status_code == 302
    assert sign_up("carl\0").status_code == 200  # only what is made is counted
    assert sign_up("someone_21x").status_code == 302
    refused = sign_up("someone_22x")
    assert refused.status_code == 429 and "to make an account" in refused.content.decode()


def test_accounts_are_not_made_by_the_hundred(client, monkeypatch):
    monkeypatch.setattr(limits, "SIGN_UPS_PER_ADDRESS", 12)
    for number in range(limits.SIGN_UPS_PER_ADDRESS):
        assert sign_up(f"someone_{number + 20}x").status_code == 302
    response = sign_up("another")
    assert response.status_code == 429 and is_refused(response)
    assert User.objects.count() == limits.SIGN_UPS_PER_ADDRESS
    assert "another" in response.content.decode()  # what was typed is still there
