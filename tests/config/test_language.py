"""Pages, errors and scripts are in the language that a visitor chose, or their browser asks for."""

import gzip

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from config import language

pytestmark = pytest.mark.django_db
ARABIC = {"Accept-Language": "ar"}
FRENCH = {"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.8"}


def choose(client: Client, code: str, then: str = "/sign-in/") -> HttpResponse:
    return client.post(reverse("set_language"), {"language": code, "next": then})


def test_a_page_is_in_the_language_that_the_browser_asks_for(client: Client) -> None:
    page = client.get("/sign-in/", headers=ARABIC)
    assert '<html lang="ar" dir="rtl">' in page.content.decode()
    assert page["Content-Language"] == "ar"
    assert {"Accept-Language", "Cookie"} <= set(page["Vary"].split(", "))


def test_a_language_that_the_site_lacks_is_answered_in_english(client: Client) -> None:
    page = client.get("/sign-in/", headers={"Accept-Language": "eo"})
    assert '<html lang="en" dir="ltr">' in page.content.decode()


def test_a_choice_goes_before_what_the_browser_asks_for(client: Client) -> None:
    response = choose(client, "de", "/sign-in/?x=1")
    assert response.url == "/sign-in/?x=1"
    cookie = response.cookies["tessera_language"]
    assert (cookie.value, cookie["samesite"]) == ("de", "Lax")
    assert '<html lang="de" dir="ltr">' in client.get("/sign-in/", headers=ARABIC).content.decode()


def test_a_choice_survives_signing_in_and_out(client: Client, django_user_model) -> None:
    user = django_user_model.objects.create_user("alice", password="meadow-42-green")
    choose(client, "zh-hans")
    client.post("/sign-in/", {"username": user.username, "password": "meadow-42-green"})
    assert 'lang="zh-hans"' in client.get("/account/").content.decode()
    client.post("/sign-out/")
    assert '<html lang="zh-hans"' in client.get("/sign-in/").content.decode()


def test_the_chooser_names_each_language_in_itself_and_comes_back(client: Client) -> None:
    page = client.get("/sign-in/?next=/account/", headers=FRENCH).content.decode()
    assert '<button name="language" value="ar" lang="ar" dir="auto">العربية</button>' in page
    assert 'value="fr" lang="fr" dir="auto" aria-current="true">Français</button>' in page
    assert '<input type="hidden" name="next" value="/sign-in/?next=/account/">' in page


def test_a_choice_leads_to_no_other_site(client: Client) -> None:
    assert choose(client, "de", "https://elsewhere.example/").url == "/"


def test_an_unknown_choice_changes_nothing(client: Client) -> None:
    assert "tessera_language" not in choose(client, "tlh").cookies


def test_pages_that_speak_english_alone_are_english_throughout(
    client: Client, django_user_model
) -> None:
    client.force_login(django_user_model.objects.create_superuser("olga"))
    choose(client, "ar")
    for path in ("/projects/", "/admin/"):
        page = client.get(path, headers=ARABIC).content.decode()
        assert 'lang="en"' in page and 'dir="rtl"' not in page
        assert "العربية" not in page  # there is nothing to choose


def test_the_api_answers_a_script_in_the_language_of_its_page(client: Client) -> None:
    body = {"project": "nowhere"}
    choose(client, "de")

    def ask(page: str) -> HttpResponse:
        headers = {"Referer": f"http://testserver{page}"}
        address = "/api/v1/challenges/"
        return client.post(address, body, content_type="application/json", headers=headers)

    assert ask("/take-part/shapes/")["Content-Language"] == "de"
    assert ask("/projects/shapes/preview/")["Content-Language"] == "en"


def test_error_pages_speak_the_visitors_language(client: Client) -> None:
    page = client.get("/nothing-here/", headers=ARABIC)
    assert page.status_code == 404
    assert '<html lang="ar" dir="rtl">' in page.content.decode()


def test_scripts_get_a_catalogue_of_their_language_that_never_changes(client: Client) -> None:
    address = reverse("javascript-catalog", args=["ar", language.catalogue_version("ar")])
    assert (
        f'<script defer src="{address}"></script>'
        in client.get("/sign-in/", headers=ARABIC).content.decode()
    )
    script = client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert "immutable" in script["Cache-Control"]
    assert script["Content-Language"] == "ar"
    assert gzip.decompress(script.content) == client.get(address).content


def test_the_catalogue_of_another_version_is_not_kept(client: Client) -> None:
    address = reverse("javascript-catalog", args=["ar", "0" * 12])
    assert client.get(address)["Cache-Control"] == "no-store"
    assert client.get(reverse("javascript-catalog", args=["tlh", "0"])).status_code == 404


def test_english_scripts_load_no_catalogue(client: Client) -> None:
    assert "catalog.js" not in client.get("/sign-in/").content.decode()


def test_all_languages_can_be_read_before_anybody_asks() -> None:
    language.catalogue_version.cache_clear()
    language.preload()
    assert language.catalogue_version.cache_info().currsize == len(settings.LANGUAGES)
