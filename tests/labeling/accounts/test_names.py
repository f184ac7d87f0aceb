"""Nobody signs up under a name that can be mistaken for another's."""

import pytest
from django.contrib.auth.models import User

from labeling.accounts import names

pytestmark = pytest.mark.django_db
PASSWORD = "a long sentence of mine"


def sign_up(client, name: str, password: str = PASSWORD):
    body = {"username": name, "password1": password, "password2": password}
    return client.post("/sign-up/", body)


def errors(response) -> str:
    return response.context["form"].errors.as_text()


@pytest.mark.parametrize(
    "name", ["carol", "Zoë", "Иван", "山田はな", "김철수", "maría.2", "Νίκος", "İpek"]
)
def test_a_name_in_one_script_is_welcome(client, name):
    assert sign_up(client, name).status_code == 302
    assert User.objects.filter(username=name).exists()


@pytest.mark.parametrize("name", ["аdmin", "pаypal", "αlice", "Ivanов", "carol٣"])
def test_a_name_in_two_scripts_is_refused(client, name):
    response = sign_up(client, name)
    assert response.status_code == 200 and "one alphabet" in errors(response)
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["асе", "ТОМ", "οικ", "ꓮꓡꓲꓚꓰ", "ᎪᏞᏆᏟᎬ", "ᴀʟɪᴄᴇ"])
def test_a_name_that_poses_as_latin_is_refused(client, name):
    assert "Latin letters" in errors(sign_up(client, name))


@pytest.mark.parametrize("name", ["ADMIN", "Admin", "adm1n", "admln", "ａｄｍｉｎ", "аԁмі1"])
def test_a_name_like_a_taken_one_is_refused(client, name, admin_user):
    assert sign_up(client, name).status_code == 200
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", ["ΣΩΚΡΑΣ", "σωκρας", "σωκρασ", "Σωκρας"])
@pytest.mark.parametrize("taken", ["ΣΩΚΡΑΣ", "σωκρας", "σωκρασ"])
def test_a_name_is_taken_in_upper_and_in_lower_case(client, taken, name):
    User.objects.create_user(taken)
    assert sign_up(client, name).status_code == 200
    assert User.objects.count() == 1


def test_a_name_that_was_given_elsewhere_is_protected_as_well(client):
    User.objects.create_user("ЅΤЕVЕ")  # as no form would allow
    assert "looks like one that is" in errors(sign_up(client, "steve"))


@pytest.mark.parametrize("name", ["carol hope", "carol\u200bhope", "carol\u202e", "a" * 151, "\0"])
def test_a_name_with_what_nobody_sees_is_refused(client, name):
    assert sign_up(client, name).status_code == 200
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["carolhopewell", "CarolHopewell", "carolhopewell1"])
def test_a_password_like_the_name_is_refused(client, password):
    assert "too similar" in errors(sign_up(client, "carolhopewell", password))


def test_letters_that_look_alike_are_listed_once():
    listed = "".join(names.CONFUSABLES.values())
    assert len(set(listed)) == len(listed) and listed == listed.lower()
