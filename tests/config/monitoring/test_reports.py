"""Errors and traces, as the real libraries send them to a real server; and what they leave out."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from config import servers
from config.monitoring import errors, traces

SECRETS = ["Session-Secret", "Token-Secret", "Query-Secret", "Answer-Secret", "Header-Secret"]
SECRETS += ["203.0.113.77", "Password-of-a-query"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    url = servers.database_url(servers.data_dir(), name=connection.settings_dict["NAME"])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_errors_and_traces_are_sent_without_what_is_secret(transactional_db, receiver):
    done = run(
        "-m",
        "tests.config.monitoring.failing_site",
        SENTRY_DSN=receiver.dsn,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        PROXIES="1",
    )
    assert done.returncode == 0, done.stderr
    (event,) = [each for each in receiver.events() if "exception" in each]
    failure = event["exception"]["values"][-1]
    assert (failure["type"], failure["value"]) == ("ValueError", "/invitations/…/ failed")
    assert event["tags"]["request_id"] == "req-77" and event["environment"] == "production"
    assert "vars" not in failure["stacktrace"]["frames"][-1]
    names = {span.name for span in receiver.spans()}
    assert {"POST invitations/<str:token>/", "GET count/"} <= names, names
    assert any(name.startswith("SELECT") for name in names)
    sent = b"".join(body for _, body in receiver.bodies).decode(errors="replace")
    found = [sent[max(0, sent.index(s) - 80) : sent.index(s) + 40] for s in SECRETS if s in sent]
    assert found == []
    assert "healthz" not in sent


OF_A_ROW = """duplicate key value violates unique constraint "auth_user_username_key"
DETAIL:  Key (username)=(dana@example.org) already exists."""


def test_no_value_of_a_row_is_sent():
    exception = {"values": [{"value": OF_A_ROW}]}
    event = {"exception": exception, "logentry": {"message": OF_A_ROW, "params": [OF_A_ROW]}}
    crumb = errors.scrub_breadcrumb({"message": OF_A_ROW, "data": {"row": OF_A_ROW}})
    stack = f'Traceback:\n  File "x.py", line 1\npsycopg.Error: {OF_A_ROW}\nCONTEXT:  dana'
    span = traces.scrub({"exception.message": OF_A_ROW, "exception.stacktrace": stack})
    sent = f"{errors.scrub(event)} {crumb} {span}"
    assert "auth_user_username_key" in sent and "dana" not in sent


@pytest.mark.parametrize(
    ("setting", "library", "extra"),
    [
        ("SENTRY_DSN", "sentry_sdk", "sentry"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry", "otel"),
    ],
)
def test_without_the_extra_it_says_so_at_the_start(monkeypatch, setting, library, extra):
    begin = {"sentry": errors.begin, "otel": traces.begin}[extra]
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImproperlyConfigured, match=f"{setting} needs the extra “{extra}”"):
        begin()


def test_neither_library_is_imported_where_nothing_is_set(db):
    code = (
        "import django, sys; django.setup(); "
        "print([name for name in sys.modules if name in"
        " ('sentry_sdk', 'opentelemetry.instrumentation', 'prometheus_client')])"
    )
    done = run("-c", code, DJANGO_SETTINGS_MODULE="config.settings")
    assert done.stdout.strip() == "[]", done.stderr
