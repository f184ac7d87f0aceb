"""Limits on calls: a sliding minute, counted by second."""

import json

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
    kept = cache.get("calls:address:192.0.2.1")
    assert len(kept) <= throttles.WINDOW + 2
    assert len(json.dumps(kept)) < 2_000
