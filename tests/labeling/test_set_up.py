"""An empty installation: the first administrator is made once, by whoever can read the log."""

import re
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from labeling.accounts import limits, set_up

pytestmark = pytest.mark.django_db
PASSWORD = "a long sentence of mine"


def fill_in(client: Client, code: str, name: str = "ada"):
    body = {"code": code, "username": name, "password1": PASSWORD, "password2": PASSWORD}
    return client.post("/set-up/", body)


def test_an_empty_installation_leads_to_its_set_up(client: Client) -> None:
    assert client.get("/")["Location"] == "/set-up/"
    assert client.get("/sign-up/")["Location"] == "/set-up/"
    page = client.get("/set-up/").content.decode()
    assert "Set up Tessera" in page and set_up.code() not in page


def test_what_is_typed_first_has_the_focus(client: Client) -> None:
    for address, name in (("/set-up/", "code"), (set_up.path(), "username")):
        (field,) = re.findall(r"<input[^>]* autofocus[^>]*>", client.get(address).content.decode())
        assert f'name="{name}"' in field


def test_the_code_makes_the_administrator_who_makes_a_project_next(client: Client) -> None:
    address = set_up.path()
    assert set_up.code() in client.get(address).content.decode()
    response = fill_in(client, set_up.code())
    assert response["Location"] == "/projects/new/"
    ada = User.objects.get()
    assert ada.is_superuser and ada.is_staff and ada.check_password(PASSWORD)
    assert client.get("/projects/new/").status_code == 200


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", " ")])
def test_a_code_is_typed_as_one_likes(client: Client, typed) -> None:
    assert fill_in(client, typed(set_up.code())).status_code == 302


@pytest.mark.parametrize("code", ["", "ABCD-EFGH-IJKL", "ä" * 12, "x" * 41])
def test_without_the_code_nobody_takes_the_installation_over(client: Client, code: str) -> None:
    response = fill_in(client, code)
    assert response.status_code == 200 and "code" in response.context["form"].errors
    assert 'value="ada"' in response.content.decode()  # what was typed is kept
    assert not User.objects.exists()


def test_a_guesser_has_to_wait_even_with_the_right_code(client: Client) -> None:
    for _ in range(limits.SET_UPS_PER_ADDRESS):
        fill_in(client, "wrong")
    response = fill_in(client, set_up.code())
    assert response.status_code == 429 and not User.objects.exists()


def test_it_is_gone_for_good_once_there_is_a_user(client: Client, carol: User) -> None:
    assert client.get("/set-up/")["Location"] == "/sign-in/"
    assert fill_in(client, set_up.code())["Location"] == "/sign-in/"
    assert client.get("/").status_code == 200
    assert list(User.objects.all()) == [carol]


def test_who_was_beaten_to_it_is_told(carol: User) -> None:
    with pytest.raises(set_up.Done):
        set_up.create_administrator(name="mallory", password=PASSWORD, code=set_up.code())


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_becomes_the_administrator() -> None:
    def attempt(number: int) -> bool:
        try:
            set_up.create_administrator(name=f"ada {number}", password=PASSWORD, code=set_up.code())
        except set_up.Done:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1
    assert User.objects.count() == 1


def test_another_secret_key_has_another_code(settings) -> None:
    before = set_up.code()
    settings.SECRET_KEY = "another"
    assert set_up.code() != before


def test_a_command_prints_the_code_again(carol: User) -> None:
    with pytest.raises(CommandError, match="There is a user already"):
        call_command("set_up_code")
    User.objects.all().delete()
    output = StringIO()
    call_command("set_up_code", stdout=output)
    assert set_up.path() in output.getvalue()


def test_visitors_take_part_where_there_is_a_project_but_no_user(client: Client, shapes) -> None:
    assert client.get("/").status_code == 200
