"""Settings that are wrong, missing or contradict each other are told before anything begins."""

from typing import Any

import pytest
from django.core.checks import Error

from config.checks import settings as checked
from config.checks.settings import check_settings

PUBLIC = {
    "ALLOWED_HOSTS": ["labels.example.org"],
    "HTTPS": True,
    "PROXIES": 1,
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
}
CACHE_OF_A_PROCESS = {"default": {"BACKEND": "config.cache.OwnCache"}}
ELSEWHERE = {"DATABASE": "elsewhere"}


@pytest.fixture
def set_to(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets settings; some are then also set in the environment."""

    def apply(values: dict[str, Any], *, given: tuple[str, ...] = ("SECRET_KEY",)) -> None:
        monkeypatch.setattr(checked, "database_is_elsewhere", lambda: "DATABASE" in values)
        for name, value in values.items():
            setattr(settings, name, value)
        monkeypatch.setattr(checked.environment, "is_set", lambda name: name in given)

    return apply


def sentences() -> dict[bool, list[str]]:
    """Return what is said, by whether a process may begin all the same."""
    said: dict[bool, list[str]] = {True: [], False: []}
    for message in check_settings():
        said[message.level < Error("").level].append(message.msg)
    return said


def test_nothing_is_wrong_with_the_demo(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
    assert check_settings() == []


def test_passwords_of_the_examples_let_nothing_begin(set_to: Any, monkeypatch: Any) -> None:
    set_to(PUBLIC)
    monkeypatch.setenv("DATABASE_URL", "postgresql://tessera:change-me@postgresql:5432/tessera")
    monkeypatch.setenv("METRICS_TOKEN", "change-me-to-a-random-token")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "change-me")
    said = sentences()[False]
    names = {sentence.partition(" ")[0] for sentence in said if "of the example" in sentence}
    assert names == {"DATABASE_URL", "METRICS_TOKEN", "AWS_SECRET_ACCESS_KEY"}
    assert not any("postgresql:" in sentence for sentence in said)


def test_nothing_is_wrong_behind_a_proxy(set_to: Any) -> None:
    set_to(PUBLIC)
    assert check_settings() == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ADMINS": [("", "ada@example.org")]}, "ADMINS is set without EMAIL_HOST"),
        ({"ADMINS": [("", "Ada")], "EMAIL_HOST": "mail"}, "“Ada” is none"),
        ({"DEBUG": True}, "DEBUG shows"),
        ({"SECRET_KEY": "change-me-change-me-change-me-change-me"}, "can be guessed: set 32"),
        ({"SECRET_KEY": "short"}, "can be guessed: set 32"),
        ({"ALLOWED_HOSTS": ["https://labels.example.org"]}, "take its scheme"),
        ({"ALLOWED_HOSTS": ["labels.example.org:443"]}, "take its scheme"),
        ({"CSRF_TRUSTED_ORIGINS": ["labels.example.org"]}, "names origins, such as https"),
        ({"CSRF_TRUSTED_ORIGINS": ["http://labels.example.org"]}, "write https://, or take it"),
        ({"PROXIES": 0}, "set PROXIES to the number of proxies"),
        (
            {"EMAIL_HOST": "m", "EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True},
            "exclude each other: set EMAIL_USE_TLS=0",
        ),
        ({"EMAIL_HOST": "m", "EMAIL_HOST_USER": "labels"}, "set both, or neither"),
        (
            {"EMAIL_HOST_USER": "labels", "EMAIL_HOST_PASSWORD": "x"},
            "set the mail server, or neither",
        ),
        ({"C2PA_KEY": "/nowhere/key.pem"}, "C2PA_KEY: /nowhere/key.pem cannot be read"),
    ],
)
def test_a_process_does_not_begin(values: dict[str, Any], sentence: str, set_to: Any) -> None:
    set_to(PUBLIC | values)
    (said,) = sentences()[False]
    assert sentence in said


@pytest.mark.parametrize(
    ("values", "given", "sentence"),
    [
        ({"HTTPS": False}, ("SECRET_KEY",), "sent in the clear. Put a proxy"),
        ({"ALLOWED_HOSTS": ["*"]}, ("SECRET_KEY",), "Name the hosts"),
        (ELSEWHERE, ("CELERY_BROKER_URL",), "set the same one on all machines"),
        (ELSEWHERE, ("SECRET_KEY",), "CELERY_BROKER_URL is not set"),
        ({"CACHES": CACHE_OF_A_PROCESS}, ("SECRET_KEY",), "set CACHE_URL to a Redis or Valkey"),
    ],
)
def test_a_doubt_is_told(
    values: dict[str, Any], given: tuple[str, ...], sentence: str, set_to: Any
) -> None:
    set_to(PUBLIC | values, given=given)
    said = sentences()
    assert not said[False]
    assert [each for each in said[True] if sentence in each]
