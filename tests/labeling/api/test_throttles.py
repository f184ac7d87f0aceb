"""Limits on calls: a sliding minute, counted by second."""

import pytest
from django.core.cache import cache
from django.test import Client

from labeling.api import throttles

URL = "/api/v1/challenges/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_000_000.5

        def time(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(throttles, "time", clock)
    return clock


def ask(client):
    return client.post(URL, {"project": "shapes"}, content_type="application/json")


@pytest.fixture
def visitor(client, shapes, settings, clock):
    """A visitor who was here a minute ago."""
    settings.CHALLENGE_RATE = 1
    assert ask(client).status_code == 201
    clock.now += 70
    return client


def test_a_call_counts_for_a_minute_and_not_much_longer(visitor, clock):
    calls = [(0, 201), (20, 201), (20, 201), (19, 429), (2.5, 201), (0, 429), (20, 201)]
    for later, status in calls:
        clock.now += later
        assert ask(visitor).status_code == status


def test_a_refused_call_is_told_when_the_oldest_ends(visitor, clock):
    for _ in range(3):
        ask(visitor)
        clock.now += 5
    response = ask(visitor)
    assert response.status_code == 429
    assert int(response["Retry-After"]) == 46  # of 60, fifteen are over


def test_what_is_kept_does_not_grow_with_the_calls(shapes, settings, clock):
    settings.CHALLENGE_RATE = 1_000_000
    for number in range(300):
        clock.now += 0.5
        client = Client(REMOTE_ADDR="192.0.2.1")
        assert client.get(f"{URL}forged/answer/").status_code == 405, number
    client = cache._cache.get_client()
    assert client.hlen(cache.make_key("calls:address:192.0.2.1")) <= throttles.WINDOW + 2


def tile_of(client: Client) -> str:
    return ask(client).json()["tiles"][0]["url"]


def test_pictures_of_tiles_are_limited_far_above_what_a_person_sees(
    client, shapes, settings, clock, monkeypatch
):
    settings.CHALLENGE_RATE, clock.now = 1, 60 * 10_000 + 20.0
    monkeypatch.setattr(throttles, "TILES", 3)
    url = tile_of(client)
    assert [client.get(url).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.get(url)
    assert refused["Retry-After"] == "40" and refused.json()["code"] == "throttled"
    clock.now += 41
    assert client.get(url).status_code == 200


def test_invented_cookies_are_limited_by_address_and_see_nothing(
    client, shapes, settings, clock, monkeypatch
):
    settings.CHALLENGE_RATE = 1
    monkeypatch.setattr(throttles, "TILES_PER_ADDRESS", 3)
    url, statuses = tile_of(client), []
    for number in range(4):
        client.cookies[settings.PSEUDONYM_COOKIE] = f"invented:{number}"
        statuses.append(client.get(url).status_code)
    assert statuses == [403, 403, 403, 429]


def test_what_may_be_fetched_ahead_in_a_minute_may_be_looked_at_in_it():
    assert 16 * throttles.AHEAD.times <= throttles.TILES
