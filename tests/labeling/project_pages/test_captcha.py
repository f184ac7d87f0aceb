"""Owners let other sites embed the project's challenges, and see what came of it."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from labeling.captcha import decks, sites, verifying
from labeling.models import Membership, Project, Site
from labeling.project_pages.captcha_snippets import snippets
from tests.labeling.captcha import birds
from tests.site_visits import visit

pytestmark = pytest.mark.django_db
PAGE = "/projects/shapes/captcha/"
FIELDS = {
    "name": "The shop",
    "hosts": "https://Shop.example.com/cart\n*.example.org, localhost",
    "difficulty": "normal",
    "daily_quota": "5000",
}


@pytest.fixture
def olgas(olga) -> Client:
    client = Client()
    client.force_login(olga)
    return client


@pytest.fixture
def made(shapes, olga):
    return sites.create(project=shapes, by=olga, name="The shop", hosts=["shop.example.com"])


@pytest.fixture
def site(made) -> Site:
    return made[0]


def page_of(site: Site, rest: str = "") -> str:
    return f"{PAGE}{site.pk}/{rest}"


def text(response) -> str:
    return response.content.decode()


def test_an_owner_makes_a_site_whose_secret_is_shown_once(olgas):
    page = text(olgas.post(PAGE, FIELDS))
    site = Site.objects.get()
    (secret,) = re.findall(r'value="(tessera_site_[\w-]+)"', page)
    assert site.hosts == ["shop.example.com", "*.example.org", "localhost"]
    assert (site.daily_quota, site.fail_open) == (5000, False)
    assert sites.secret_of(secret).site == site
    for address in (PAGE, page_of(site)):
        assert secret not in text(olgas.get(address))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", " ", "This field is required."),
        ("hosts", "*", "a * stands at the beginning alone"),
        ("hosts", "exa mple", "is no host name"),
        ("daily_quota", "0", "greater than or equal to 1"),
        ("daily_quota", "99999999999999999999", "less than or equal to"),
        ("difficulty", "none", "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(olgas, site, field, value, sentence):
    for address in (PAGE, page_of(site)):
        response = olgas.post(address, {**FIELDS, "name": "Another", field: value})
        assert response.status_code == 400
        assert sentence in text(response)
    assert Site.objects.get().hosts == ["shop.example.com"]


def test_each_dialect_has_its_snippets(olgas, site):
    page = text(olgas.get(page_of(site)))
    for part in (
        "http://testserver/recaptcha/api.js",
        f"class=&quot;g-recaptcha&quot; data-sitekey=&quot;{site.key}&quot;",
        "curl http://testserver/recaptcha/api/siteverify",
        "http://testserver/1/api.js",
        f"class=&quot;h-captcha&quot; data-sitekey=&quot;{site.key}&quot;",
        "curl http://testserver/siteverify",
        f"&lt;tessera-captcha sitekey=&quot;{site.key}&quot;&gt;",
    ):
        assert part in page, part


def test_settings_are_changed(olgas, site):
    response = olgas.post(page_of(site), {**FIELDS, "difficulty": "hard", "fail_open": "on"})
    site.refresh_from_db()
    assert response.status_code == 302
    assert (site.difficulty, site.fail_open, site.daily_quota) == ("hard", True, 5000)
    assert "Saved." in text(olgas.get(page_of(site)))


def test_a_new_secret_leaves_the_old_one_a_while(olgas, made):
    site, old = made
    page = text(olgas.post(page_of(site, "secret/"), {"days": "7"}))
    (new,) = re.findall(r'value="(tessera_site_[\w-]+)"', page)
    assert sites.secret_of(new)
    assert sites.secret_of(old).expires_at > timezone.now() + timedelta(days=6)
    assert "End the old secret now" in page
    olgas.post(page_of(site, "secret/end-old/"))
    assert sites.secret_of(new) and not sites.secret_of(old)
    assert "End the old" not in text(olgas.get(page_of(site)))


def test_a_new_secret_can_end_the_old_one_at_once(olgas, made):
    site, old = made
    olgas.post(page_of(site, "secret/"), {"days": "0"})
    assert not sites.secret_of(old)


def test_no_secret_is_made_for_an_overlap_that_is_not_offered(olgas, made):
    site, _ = made
    for days in ("", "-1", "3000", "x"):
        assert olgas.post(page_of(site, "secret/"), {"days": days}).status_code == 400
    assert site.secrets.count() == 1


def test_a_site_is_switched_off_and_on(olgas, site):
    olgas.post(page_of(site, "switch/"), {"active": "0"})
    assert not Site.objects.get().active
    assert "nobody passes" in text(olgas.get(page_of(site)))
    assert "switched off" in text(olgas.get(PAGE))
    olgas.post(page_of(site, "switch/"), {"active": "1"})
    assert Site.objects.get().active


def test_figures_are_told_with_their_n_and_interval(olgas, site):
    for _ in range(9):
        visit(site, is_verified=True, labels=1, seconds=(7.0,))
    visit(site, state="failed", seconds=(0.5, 0.5), suspected=True)
    page = re.sub(r"\s+", " ", text(olgas.get(page_of(site))))
    assert "<b>90.0 %</b> <span>59.6 to 98.2; n 10 who answered to the end</span>" in page
    assert "<b>7.0</b>" in page and "100.0 for 100 passes" in page
    assert "<b>7.1 s</b> <span>and 1.2 answered rounds" in page
    assert "none passed, in 2 answered rounds" in page
    assert page.count('class="tessera-plot history"') == 4
    assert "10 attempts today" in text(olgas.get(PAGE))


def test_figures_are_told_of_a_day_by_hours(olgas, site):
    visit(site, at=timezone.now() - timedelta(days=3))
    assert "Nobody has come in this time" not in text(olgas.get(page_of(site)))
    assert "Nobody has come in this time" in text(olgas.get(page_of(site, "?period=day")))
    assert "Nobody has come in this time" not in text(olgas.get(page_of(site, "?period=x")))


def test_the_privacy_text_names_the_site(olgas, site):
    page = text(olgas.get(page_of(site, "privacy/")))
    assert "How <bdi>The shop</bdi> checks" in page
    for word in (
        "keyed hash",
        "No cookie",
        "No third party",
        "testserver",
        "legal basis",
        "2 days",
        "31 days",
    ):
        assert word in page


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "draft"}, "The project is a draft"),
        ({"private": True}, "untick that under Settings"),
        ({"state": "archived"}, "reopen it under Settings"),
        ({}, "No concept has enough pictures"),
    ],
)
def test_it_is_said_what_keeps_the_project_from_asking(olgas, shapes, site, changes, sentence):
    Project.objects.update(**changes)
    for address in (PAGE, page_of(site)):
        assert sentence in text(olgas.get(address))
    assert "asked for a computation" in text(olgas.get(page_of(site)))
    Site.objects.update(fail_open=True)
    assert "all let pass, bots too" in text(olgas.get(page_of(site)))


def test_it_is_said_how_much_is_known_of_what(olga, olgas, garden):
    Membership.objects.create(project=garden, user=olga, role="owner")
    birds.add_known(garden, yes=14, no=22)
    garden.concepts.create(name="owl", phrase="an owl")
    page = text(olgas.get("/projects/garden/captcha/"))
    assert "By pictures:</b> 1 of 2 concepts can be asked." in page
    assert "is asked; more gold makes it safer" in page and "too few are known: <a" in page
    assert "No concept has enough" not in page


def test_it_is_said_that_one_stranger_would_decide_a_label(olgas, shapes, site):
    assert "one answer is enough" not in text(olgas.get(PAGE))
    Project.objects.update(answers_min=1)
    assert "one answer is enough for a label" in text(olgas.get(PAGE))


def test_who_has_no_concept_is_told_where_to_begin(olgas, shapes):
    shapes.concepts.all().delete()
    assert "choose concepts, and mark gold" in text(olgas.get(PAGE))


def test_to_load_the_page_with_the_secret_again_makes_no_second_site(olgas, shapes):
    assert olgas.post(PAGE, FIELDS).status_code == 200
    again = olgas.post(PAGE, FIELDS)
    assert again.status_code == 400 and "has a site of this name" in text(again)
    assert Site.objects.count() == 1


def test_it_is_said_that_no_more_pass_today(olgas, site, monkeypatch):
    assert "used up" not in text(olgas.get(page_of(site))).split("Settings</h2>")[0]
    Site.objects.update(daily_quota=1)
    monkeypatch.setattr("labeling.project_stats.begun_today", lambda project: {site.pk: 1})
    assert "until midnight (UTC) nobody passes" in text(olgas.get(page_of(site)))


def test_an_attack_is_told_while_it_goes_on(olgas, site, monkeypatch):
    assert "as in an attack" not in text(olgas.get(page_of(site)))
    monkeypatch.setattr("labeling.captcha.limits.level", lambda site: 2)
    assert "as in an attack" in text(olgas.get(page_of(site)))


def test_snippets_and_test_keys_are_those_that_work(olgas, shapes, olga):
    for snippet in snippets("http://testserver", "key"):
        for address in re.findall(r"http://testserver(/\S+?)[\s\"]", snippet.page + snippet.server):
            assert resolve(address)
    page = text(olgas.get(PAGE))
    for key, secret in verifying.TEST_KEYS.items():
        assert key in page and secret in page
    assert page.index('<th scope="row">reCAPTCHA') < page.index("6LeIxAcTAAAAAJ")
    assert page.index('<th scope="row">hCaptcha') < page.index("10000000-ffff")


@pytest.mark.parametrize("role", ["reviewer", "trainer", "annotator", "viewer", None])
def test_only_owners_see_and_change_sites(site, shapes, carol, role):
    client = Client()
    client.force_login(carol)
    if role:
        Membership.objects.create(project=shapes, user=carol, role=role)
    seen = 404 if role in (None, "annotator") else 403
    posts = ("switch/", "secret/", "secret/end-old/")
    answers = [client.get(address) for address in (PAGE, page_of(site), page_of(site, "privacy/"))]
    answers += [client.post(page_of(site, rest), {"days": "0"}) for rest in ("", *posts)]
    answers += [client.post(PAGE, FIELDS)]
    assert {each.status_code for each in answers} == {seen}
    assert Site.objects.get().active and site.secrets.count() == 1
    if role in ("reviewer", "trainer", "viewer"):
        assert "CAPTCHA" not in text(client.get("/projects/shapes/"))


def test_no_project_has_the_sites_of_another(olga, olgas, garden, site):
    Membership.objects.create(project=garden, user=olga, role="owner")
    for rest in ("", "privacy/", "switch/", "secret/", "secret/end-old/"):
        address = f"/projects/garden/captcha/{site.pk}/{rest}"
        answer = olgas.get if rest in ("", "privacy/") else olgas.post
        assert answer(address).status_code == 404


def test_whoever_is_not_signed_in_is_asked_to(site):
    assert Client().get(PAGE).url.startswith(reverse("login"))
    assert User.objects.filter(username="olga").exists()


def test_an_owner_is_told_what_keeps_visitors_from_passing(olga, olgas, garden):
    def told() -> str:
        cache.clear()
        decks.forget()
        return text(olgas.get("/projects/garden/"))

    Membership.objects.create(project=garden, user=olga, role="owner")
    assert "CAPTCHA" in told() and "Nothing can be asked" not in told()
    site, _ = sites.create(
        project=garden, by=olga, name="The shop", hosts=["a.example"], daily_quota=1
    )
    assert "Nothing can be asked by the CAPTCHA" in told()
    birds.add_known(garden, yes=14, no=22)
    assert "Nothing can be asked" not in told() and "used up" not in told()
    visit(site)
    assert "The site “The shop” has used up its attempts of today" in told()
    sites.change(site=site, by=olga, active=False)
    assert "used up" not in told()
    decks.forget()
