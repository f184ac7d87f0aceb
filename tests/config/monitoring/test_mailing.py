"""Errors are mailed to administrators: each once an hour, few in all, nothing that is secret."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache

from config import logs
from config.monitoring import ids, mailing

Log = logging.Logger


@pytest.fixture
def log(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """Return a logger whose errors are mailed to Ada, at once."""
    settings.ADMINS = [("", "ada@example.org")]
    cache.clear()

    class AtOnce(threading.Thread):
        def start(self) -> None:
            self.run()

    monkeypatch.setattr("config.monitoring.mailing.threading.Thread", AtOnce)
    logger = logging.getLogger("labeling.tests")
    logger.addHandler(mailing.AdminMailHandler())
    yield logger
    logger.handlers.clear()


def another_process(logger: Log) -> None:
    logger.handlers[:] = [mailing.AdminMailHandler()]


def fail(logger: Log, message: str = "It failed") -> None:
    try:
        raise ValueError(message)
    except ValueError:
        logger.exception("%s at /invitations/Secret-Of-Ada/", message)


def test_an_error_is_mailed_without_tokens(log: Log) -> None:
    token = ids.request_id.set("req-7")
    fail(log)
    ids.request_id.reset(token)
    (message,) = mail.outbox
    assert message.to == ["ada@example.org"]
    assert message.subject == (
        "[Tessera] ERROR labeling.tests: It failed at /invitations/…/ [request req-7]"
    )
    assert "Traceback" in message.body
    assert "Secret-Of-Ada" not in message.body


def test_a_message_cannot_write_a_header(log: Log) -> None:
    log.error("a\r\nBcc: mallory@example.org")
    assert "\n" not in mail.outbox[0].subject


def test_the_same_error_is_mailed_once(log: Log) -> None:
    for number in range(1_000):
        fail(log, f"No. {number}")
    assert len(mail.outbox) == 1
    another_process(log)
    fail(log)
    assert len(mail.outbox) == 1


def test_of_many_errors_few_are_mailed(log: Log) -> None:
    for _ in range(10):
        another_process(log)
        for number in range(10):
            exec("\n" * number + "log.error('It failed')")  # each from a line of its own
        exec("\n" * (100 + len(mail.outbox)) + "log.error('It failed')")
    assert len(mail.outbox) <= mailing.OF_ALL


def test_what_was_held_back_is_counted(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        fail(log)
    now = mailing.time.monotonic()
    monkeypatch.setattr(mailing.time, "monotonic", lambda: now + mailing.AGAIN)
    cache.clear()
    fail(log)
    assert "2 errors were not mailed" in mail.outbox[-1].body


def test_warnings_and_wrong_headers_are_not_mailed(log: Log) -> None:
    log.warning("It is doubtful")
    wrong = logging.getLogger("django.security.DisallowedHost")
    wrong.addHandler(log.handlers[0])
    wrong.error("Invalid HTTP_HOST header")
    wrong.removeHandler(log.handlers[0])
    assert mail.outbox == []


def test_a_mail_server_that_refuses_is_only_logged(
    log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError("it is away")

    monkeypatch.setattr(mailing, "mail_admins", refuse)
    fail(log)
    assert {record.levelname for record in caplog.records} == {"ERROR", "WARNING"}


@pytest.mark.parametrize(
    ("mailed", "handlers"), [(True, ["console", "mail"]), (False, ["console"])]
)
def test_nothing_is_mailed_unless_somebody_is_named(mailed: bool, handlers: list[str]) -> None:
    made: Any = logs.configuration(format="line", level="INFO", mailed=mailed)
    assert made["root"]["handlers"] == handlers
