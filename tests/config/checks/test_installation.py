"""What a process stands on is looked at before it begins: database, clocks, storage."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.management import CommandError
from django.db import NotSupportedError, connection
from django.db.backends.base import base

from config import celery, servers, start, storage
from config.checks import database as checked
from config.checks.broker import check_broker
from config.checks.database import check_database, off
from config.checks.storage import check_storage
from config.command import WRONG_SETTINGS
from config.management import database
from config.postgresql.base import DatabaseFeatures, DatabaseWrapper
from tests.fake_bucket import FakeBucket

ROOT = Path(__file__).parents[3]


@pytest.fixture
def seen(transactional_db: None) -> None:
    """Let other connections see what the test writes."""


def run(module: str, **environment: str) -> tuple[int, str]:
    """Begin a process on the test's database; return its exit status and what it says."""
    url = servers.database_url(servers.data_dir(), name=connection.settings_dict["NAME"])
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def add_migration(app: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations VALUES (9999, %s, %s, now())", [app, name])


def remove_migration() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE id = 9999")


@pytest.fixture
def newer(seen: None) -> Any:
    add_migration("labeling", "0099_newer")
    yield
    remove_migration()


def only(messages: list[CheckMessage]) -> CheckMessage:
    (message,) = messages
    return message


def test_all_is_well_with_the_tests(seen: None) -> None:
    assert [*check_database(), *check_storage()] == []


def test_web_and_worker_do_not_begin_on_a_newer_database(newer: None) -> None:
    code, errors = run("config.wsgi")
    assert code == start.NOT_NOW
    assert "newer version than this code" in errors
    assert "labeling.0099_newer: install" in errors
    assert "Traceback" not in errors


def test_no_command_works_on_a_newer_database(newer: None) -> None:
    with pytest.raises(CommandError, match="newer version than this code"):
        database.set_up()


def test_wrong_settings_end_a_process_for_good(seen: None) -> None:
    code, errors = run("config.wsgi", HTTPS="1")
    assert (code, errors.count("\n")) == (WRONG_SETTINGS, 1)
    assert errors.startswith("Error: HTTPS is 1 and PROXIES is 0")


def test_migrations_that_are_missing_are_told(seen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    known = checked.known_migrations()
    monkeypatch.setattr(checked, "known_migrations", lambda: known | {("labeling", "0002_next")})
    message = only(check_database())
    assert message.is_serious()
    assert "labeling.0002_next. Make a backup, and run `tessera migrate`" in message.msg


def test_a_database_that_is_away_is_no_reason_to_end(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    message = only(check_database())
    assert not message.is_serious()
    assert "start it, or correct DATABASE_URL" in message.msg


def test_a_postgresql_that_is_too_old_is_told(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseFeatures, "minimum_database_version", (99,))
    monkeypatch.setattr(base, "RAN_DB_VERSION_CHECK", set())  # once a process
    message = only(check_database())
    assert message.is_serious()
    assert "PostgreSQL 99 or later is required" in message.msg
    assert message.msg.endswith("): upgrade the server of DATABASE_URL, or name another one.")


def test_no_command_works_on_a_postgresql_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: DatabaseWrapper) -> None:
        raise NotSupportedError("PostgreSQL 15 or later is required (found 12.22).")

    monkeypatch.setattr(DatabaseWrapper, "ensure_connection", refuse)
    with pytest.raises(CommandError, match=r"\(found 12.22\): upgrade the server of DATABASE_URL"):
        database.connect()


def test_a_broker_or_a_cache_that_refuses_is_told(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_broker() == []
    monkeypatch.setattr(celery.app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    settings.CACHES = {"default": {"LOCATION": "redis://127.0.0.1:1/1"}}
    broker, cache = check_broker()
    assert not broker.is_serious() and not cache.is_serious()
    assert "start it, or correct CELERY_BROKER_URL" in broker.msg
    assert "start it, or correct CACHE_URL" in cache.msg


@pytest.mark.parametrize(
    ("seconds", "serious"), [(0, None), (2, None), (5, False), (-5, False), (90, True), (-90, True)]
)
def test_clocks_that_are_apart_are_told(seconds: float, serious: bool | None) -> None:
    messages = list(off("database", 1_000 + seconds, before=1_000, after=1_000.2))
    assert [message.is_serious() for message in messages] == ([] if serious is None else [serious])
    assert not [message for message in messages if "set both by NTP" not in message.msg]


def test_the_databases_clock_is_asked(seen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    now = checked.time.time
    monkeypatch.setattr("config.checks.database.time.time", lambda: now() - 100)
    assert "that of the database are 100 seconds apart" in only(check_database()).msg


def test_a_folder_that_cannot_be_written_is_told(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where a folder belongs")
    settings.MEDIA_ROOT = tmp_path / "media"
    message = only(check_storage())
    assert message.is_serious()
    assert "cannot be written where FILE_STORAGE says" in message.msg


def test_a_bucket_without_rights_is_told(stored_in_bucket: FakeBucket) -> None:
    assert check_storage() == []
    stored_in_bucket.refuse("PUT", times=9, status=403, code="AccessDenied")
    message = only(check_storage())
    assert message.is_serious()
    assert "they need s3:ListBucket of it, s3:GetObject" in message.msg


def test_a_bucket_that_is_away_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.storage.probe", lambda files: f"Files cannot be … {storage.AWAY}.")
    message = only(check_storage())
    assert not message.is_serious()


def test_the_buckets_clock_is_asked(
    stored_in_bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = "Fri, 02 Jan 2026 03:04:05 GMT"
    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.date_time_string", lambda *_: long_ago)
    message = only(check_storage())
    assert message.is_serious()
    assert "The clock of this machine and that of the storage are " in message.msg
