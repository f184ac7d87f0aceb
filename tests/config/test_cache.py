"""One cache for all processes, whose absence stops nobody."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client

from config import cache as shared
from config.cache import OwnCache, SharedCache, url_of_broker
from tests.at_once import run_at_once

LOCATION = django_settings.CACHES["default"]["LOCATION"]


@pytest.fixture
def away(monkeypatch) -> Iterator[SharedCache]:
    """A cache whose server is not there."""
    monkeypatch.setattr(shared, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(shared, "_outage", shared._Outage())
    return SharedCache("unix:///nowhere/valkey", {"KEY_PREFIX": "test"})


def elsewhere(code: str) -> str:
    """What another process, with the same settings, prints."""
    setup = "import django; django.setup(); from django.core.cache import cache; "
    done = subprocess.run(
        [sys.executable, "-c", setup + code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_another_process_sees_what_is_kept_and_forgotten():
    cache.set("colour", {"name": "red", "shares": [0.5, None]})
    seen = elsewhere("import json; print(json.dumps(cache.get('colour'))); cache.delete('colour')")
    assert json.loads(seen) == {"name": "red", "shares": [0.5, None]}
    assert cache.get("colour") is None


def test_processes_count_together():
    cache.add("attempts", 0)
    cache.incr("attempts")
    assert elsewhere("print(cache.incr('attempts'))") == "2"
    assert cache.get("attempts") == 2


@pytest.fixture(params=["shared", "own"])
def counting(request) -> Any:
    """The cache of all processes, or one of this process alone."""
    own = OwnCache("counting", {})
    yield cache if request.param == "shared" else own
    own.clear()


def test_of_eight_calls_at_once_no_more_pass_than_may(counting):
    def call() -> bool:
        ((is_counted, _calls),) = counting.count_calls({"eight": 5}, now=100.4, window=60).values()
        return is_counted

    assert sorted(run_at_once(*[call] * 8)) == [False] * 3 + [True] * 5


def test_eight_that_are_counted_at_once_are_eight(counting):
    counts = run_at_once(*[lambda: counting.count_many({"people": 60})[0]] * 8)
    assert sorted(counts) == list(range(1, 9))


def test_calls_count_for_a_window_and_what_one_limit_refuses_another_counts(counting):
    def call(now: float) -> Any:
        return counting.count_calls({"tight": 2, "wide": 9}, now=now, window=60)

    assert call(10.2) == {"tight": (True, [(10, 1)]), "wide": (True, [(10, 1)])}
    assert call(10.9) == {"tight": (True, [(10, 2)]), "wide": (True, [(10, 2)])}
    assert call(70.9) == {"tight": (False, [(10, 2)]), "wide": (True, [(10, 2), (70, 1)])}
    assert call(71.0)["tight"] == (True, [(71, 1)])


def test_several_values_are_kept_together_and_expire():
    cache.set_many({"red": [1, 2], "blue": None}, 60)
    assert cache.get_many(["red", "blue", "green"]) == {"red": [1, 2], "blue": None}
    client = cache._cache.get_client()
    assert 0 < client.ttl(cache.make_key("red")) <= 60
    cache.set_many({"red": 1}, None)
    assert client.ttl(cache.make_key("red")) == -1
    cache.set_many({"red": 1}, 0)
    assert cache.get("red") is None


def test_nothing_but_json_is_kept():
    with pytest.raises(TypeError):
        cache.set("object", object())
    client = cache._cache.get_client()
    client.set(cache.make_key("pickled"), b"\x80\x04K\x01.")
    with pytest.raises(ValueError):
        cache.get("pickled")


def test_clearing_leaves_everything_else_on_the_server():
    client = cache._cache.get_client()
    client.set("celery", "a message")
    cache.set("colour", "red")
    cache.clear()
    assert cache.get("colour") is None
    assert client.get("celery") == b"a message"
    client.delete("celery")


def test_a_cache_that_is_away_behaves_as_an_empty_one(away):
    away.set("colour", "red")
    away.set_many({"colour": "red"})
    assert away.get("colour", "none") == "none"
    assert away.get_many(["colour"]) == {}
    assert away.add("colour", "red") is True
    assert away.get_or_set("colour", lambda: "blue") == "blue"
    assert not away.has_key("colour") and not away.touch("colour") and not away.delete("colour")
    away.delete_many(["colour"])
    away.clear()
    assert away.count_calls({"colour": 0}, now=7.5, window=60) == {"colour": (True, [(7, 1)])}
    with pytest.raises(ValueError):
        away.incr("colour")


def test_an_outage_is_logged_once_and_so_is_its_end(away, caplog):
    for _ in range(3):
        away.get("colour")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    SharedCache(LOCATION, {}).get("colour")
    SharedCache(LOCATION, {}).get("colour")
    assert [record.message for record in caplog.records][1:] == ["The cache is back."]


def test_a_server_that_failed_is_not_asked_again_at_once(away, monkeypatch):
    monkeypatch.setattr(shared, "RETRY_SECONDS", 600.0)
    away.get("colour")
    monkeypatch.setattr(SharedCache, "_cache", property(lambda self: pytest.fail("asked again")))
    assert away.get("colour") is None


@pytest.mark.django_db
def test_people_answer_on_while_the_cache_is_away(away, monkeypatch, shapes):
    for method in ("get", "set", "add", "incr", "delete_many"):
        monkeypatch.setattr(cache, method, getattr(away, method))
    client = Client()
    assert client.get("/").status_code == 200
    body = {"project": "shapes", "kind": "grid"}
    challenge = client.post("/api/v1/challenges/", body, content_type="application/json").json()
    assert client.get(challenge["tiles"][0]["url"]).status_code == 200
    address = f"/api/v1/challenges/{challenge['token']}/answer/"
    assert (
        client.post(address, {"selected": []}, content_type="application/json").status_code == 200
    )


@pytest.mark.parametrize(
    ("broker", "expected"),
    [
        ("redis+socket:///run/valkey", "unix:///run/valkey?db=0"),
        ("redis+socket:///run/valkey?virtual_host=3", "unix:///run/valkey?db=3"),
        ("redis://:secret@host:6379/1", "redis://:secret@host:6379/1"),
        ("rediss://host/0", "rediss://host/0"),
        ("amqp://guest@host//", ""),
        ("sentinel://host:26379", ""),
    ],
)
def test_the_broker_is_the_cache_where_it_is_a_redis(broker, expected):
    assert url_of_broker(broker) == expected


def test_without_a_redis_each_process_remembers_by_itself():
    from config.settings.connections import _cache

    assert _cache("", "amqp://host//")["BACKEND"].endswith("OwnCache")
    assert _cache("redis://cache/2", "amqp://host//")["LOCATION"] == "redis://cache/2"


def test_a_cache_url_that_is_none_is_named():
    from django.core.exceptions import ImproperlyConfigured

    from config.settings.connections import _cache

    with pytest.raises(ImproperlyConfigured, match="CACHE_URL"):
        _cache("memcached://host", "")
