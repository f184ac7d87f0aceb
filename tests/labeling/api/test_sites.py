"""Owners make sites, change them and read their figures over HTTP."""

import pytest

from labeling.captcha import sites
from labeling.models import Site
from tests.site_visits import visit

pytestmark = pytest.mark.django_db
API = "/api/v1/"
SITES = f"{API}projects/shapes/sites/"
BODY = {"name": "The shop", "hosts": ["https://Shop.example.com/", "*.example.org"]}


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def made(shapes, olga):
    return sites.create(project=shapes, by=olga, name="The shop", hosts=["shop.example.com"])


def post(client, address, body):
    return client.post(address, body, content_type="application/json")


def test_a_site_is_made_and_its_secret_shown_once(olgas, shapes):
    response = post(olgas, SITES, BODY)
    told = response.json()
    site = Site.objects.get()
    assert response.status_code == 201 and response["Location"].endswith(f"/sites/{site.pk}/")
    assert told["hosts"] == ["shop.example.com", "*.example.org"]
    assert (told["difficulty"], told["daily_quota"], told["fail_open"]) == ("normal", 100000, False)
    assert sites.secret_of(told["secret"]).site == site
    (listed,) = olgas.get(SITES).json()["results"]
    assert "secret" not in listed and listed["key"] == site.key


@pytest.mark.parametrize(
    "changes",
    [
        *({"name": ""}, {"name": "x" * 61}, {"hosts": []}, {"hosts": ["*"]}, {"hosts": ["a b"]}),
        *({"hosts": "a.example"}, {"difficulty": "none"}, {"daily_quota": 0}, {"fail_open": "x"}),
        *({"key": "mine"}, {"daily_quota": 10_000_001}, {"hosts": ["a.example"] * 51}),
    ],
)
def test_what_is_wrong_is_refused(olgas, shapes, made, changes):
    assert post(olgas, SITES, BODY | changes).status_code == 400
    address = f"{API}sites/{made[0].pk}/"
    assert olgas.patch(address, changes, content_type="application/json").status_code == 400
    assert Site.objects.get().hosts == ["shop.example.com"]


def test_there_are_not_too_many(olgas, made, monkeypatch):
    monkeypatch.setattr(sites, "MOST", 1)
    response = post(olgas, SITES, BODY)
    assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_a_site_is_changed_and_switched_off(olgas, made):
    address = f"{API}sites/{made[0].pk}/"
    changes = {"difficulty": "hard", "fail_open": True, "active": False}
    told = olgas.patch(address, changes, content_type="application/json").json()
    assert changes.items() <= told.items() == olgas.get(address).json().items()
    assert olgas.get(f"{SITES}?active=true").json()["results"] == []


def test_a_secret_is_rotated_and_the_old_one_ended(olgas, made):
    site, old = made
    new = post(olgas, f"{API}sites/{site.pk}/secret/", {"days": 7}).json()["secret"]
    assert sites.secret_of(old) and sites.secret_of(new)
    post(olgas, f"{API}sites/{site.pk}/secret/end-old/", {})
    assert not sites.secret_of(old) and sites.secret_of(new)
    newest = post(olgas, f"{API}sites/{site.pk}/secret/", {"days": 0}).json()["secret"]
    assert not sites.secret_of(new) and sites.secret_of(newest)
    for days in (-1, 31, "x"):
        assert post(olgas, f"{API}sites/{site.pk}/secret/", {"days": days}).status_code == 400


def test_figures_are_told(olgas, made):
    site, _ = made
    visit(site, is_verified=True, labels=1, seconds=(7.0,))
    visit(site, state="failed", seconds=(0.5, 0.5), suspected=True)
    for query, steps in (("", 30), ("?period=day", 24)):
        told = olgas.get(f"{API}sites/{site.pk}/statistics/{query}").json()
        assert len(told["steps"]) == steps and told["is_all"]
        whole = told["whole"]
        assert (whole["begun"], whole["solved"], whole["verified"]) == (2, 1, 1)
        assert whole["median_seconds"] == pytest.approx(7.0, rel=0.01)
        assert whole["seconds_per_pass"] == 8.0
        assert whole["pass_rate"]["share"] == 0.5 and whole["pass_rate"]["n"] == 2
        assert told["doors"][0]["door"] == "grid"
        assert told["steps"][-1]["figures"]["begun"] == 2
    assert olgas.get(f"{API}sites/{site.pk}/statistics/?period=year").status_code == 400
