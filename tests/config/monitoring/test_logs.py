"""Lines of the log: whole, told apart by ids, and nobody's to forge."""

import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import logs
from config.monitoring import ids, workers


@pytest.fixture
def known() -> Iterator[None]:
    request, task = ids.request_id.set("req-1"), ids.task_id.set("task-1")
    yield
    ids.request_id.reset(request)
    ids.task_id.reset(task)


def _record(message: str, *arguments: object, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError("one\ntwo 2026-01-01 INFO root: forged")
        except ValueError:
            info = sys.exc_info()
    record = logging.LogRecord("labeling", logging.INFO, __file__, 1, message, arguments, info)
    record.process = 7
    return record


def _line() -> logging.Formatter:
    return logs.LineFormatter("{asctime} {levelname} {name}: {message}", style="{")


def test_a_json_line_has_time_level_logger_message_and_ids(known):
    line = logs.JSONFormatter().format(_record("%s was made", "Ürün"))
    entry = json.loads(line)
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "INFO",
        "logger": "labeling",
        "message": "Ürün was made",
        "process": 7,
        "request_id": "req-1",
        "task_id": "task-1",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x85", "\x1b[2K\r"])
@pytest.mark.parametrize("formatter", [_line, logs.JSONFormatter])
def test_what_is_handed_in_begins_no_line_of_its_own(
    formatter: Callable[[], logging.Formatter], end: str
):
    line = formatter().format(_record("for %s", f"a{end}2026-01-01 INFO root: forged"))
    assert len(line.splitlines()) == 1 and "\x1b" not in line


def test_an_exception_is_one_json_line_and_indented_for_people():
    record = _record("It failed.", error=True)
    entry = json.loads(logs.JSONFormatter().format(record))
    assert "ValueError: one\ntwo" in entry["exception"]
    lines = _line().format(record).split("\n")
    assert len(lines) > 3 and all(line.startswith("    ") for line in lines[1:])


def test_tokens_in_addresses_are_hidden_in_exceptions_too():
    token = "cafebabe1234"
    for path in ("/invitations/", "/account/email/", "/password-reset/MQ/"):
        try:
            raise ValueError(f"GET {path}{token}/ failed")
        except ValueError:
            record = logging.LogRecord("a", 40, __file__, 1, "x", (), sys.exc_info())
        for formatter in (_line(), logs.JSONFormatter()):
            assert token not in formatter.format(record)


def test_the_id_of_a_proxy_is_kept_and_anybody_elses_is_not(client, db, settings):
    own = client.get("/robots.txt", headers={"x-request-id": "from-outside"})["X-Request-ID"]
    assert len(own) == 32 and own != client.get("/robots.txt")["X-Request-ID"]
    settings.PROXIES = 1
    assert client.get("/robots.txt", headers={"x-request-id": "a-1"})["X-Request-ID"] == "a-1"
    for bad in ("", "a b", "x" * 65, "a\r\nSet-Cookie: b"):
        given = client.get("/robots.txt", headers={"x-request-id": bad})["X-Request-ID"]
        assert given != bad and len(given) == 32


def test_a_request_hands_its_id_on_with_the_tasks_it_sends(known):
    headers: dict[str, object] = {}
    workers.hand_on(headers=headers)
    assert headers == {"request_id": "req-1"}


class _Task:
    name = "labeling.tasks.some"

    def __init__(self, **request: object) -> None:
        self.request = request


def test_a_task_takes_the_id_over_and_forgets_it_at_its_end(known):
    workers.begin(task_id="t-9", task=_Task(request_id="req-9"))
    assert (ids.request_id.get(), ids.task_id.get()) == ("req-9", "t-9")
    workers.end(task=_Task(), state="SUCCESS")
    assert (ids.request_id.get(), ids.task_id.get()) == ("", "")
    workers.begin(task_id="t-10", task=_Task(request_id="a\nforged"))
    assert ids.request_id.get() == ""
    workers.end(task=_Task(), state="SUCCESS")


def test_levels_and_formats_that_are_none_are_refused(monkeypatch):
    from config import environment

    monkeypatch.setattr(environment, "_variables", {})
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT must be line or json"):
        environment.text("LOG_FORMAT", "line", options=("line", "json"), about="")
