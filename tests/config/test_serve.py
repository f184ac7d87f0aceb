"""The commands `serve`, `worker` and `beat`: what they refuse, and how they end."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config import servers
from config.management.commands import serve
from tests.config.demo import ROOT, processes_of, status
from tests.waiting import wait_until


def test_debug_pages_are_never_served_in_public(settings) -> None:
    settings.DEBUG = True
    for words in (["--host", "0.0.0.0"], ["--site", "https://labels.example.org"]):
        with pytest.raises(CommandError, match="DEBUG shows settings and code to everybody"):
            call_command("serve", *words)
    assert [serve._is_loopback(host) for host in ("127.0.0.1", "::1", "localhost")] == [True] * 3


@pytest.mark.parametrize(
    "site", ["http://labels.example.org", "labels.example.org", "https://", "https://a.org/b"]
)
def test_a_site_is_an_https_address(site: str) -> None:
    with pytest.raises(CommandError, match="--site must be like https://labels"):
        call_command("serve", "--site", site)


def test_a_site_behind_a_proxy_needs_no_other_setting() -> None:
    assert serve._behind_a_proxy("https://labels.example.org/") == {
        "HTTPS": "1",
        "PROXIES": "1",
        "ALLOWED_HOSTS": "labels.example.org",
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["serve", "--processes", "0"], "--processes must be a number from 1 to 64, not 0"),
        (["serve", "--threads", "65"], "--threads must be a number from 1 to 64, not 65"),
        (["serve", "--port", "70000"], "--port must be a number from 1 to 65535, not 70000"),
        (["worker", "--queues", "celery,nix"], "There is no queue 'nix': choose of celery"),
        (["worker", "--concurrency", "0"], "--concurrency must be a number from 1"),
    ],
)
def test_an_option_that_cannot_be_gives_a_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command(*words)


@pytest.mark.django_db(transaction=True)
def test_a_request_that_has_arrived_is_answered_before_the_server_ends(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": servers.database_url(
            servers.data_dir(), name=connection.settings_dict["NAME"]
        ),
        "CELERY_BROKER_URL": servers.broker_url(servers.data_dir()),
    }
    command = [sys.executable, "manage.py", "serve", "--port", str(port), "--processes", "1"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    request.addfinalizer(server.kill)
    url = f"http://127.0.0.1:{port}/set-up/"
    wait_until(lambda: _answers(port) or server.poll() is not None)
    assert status(url) == 200
    with socket.create_connection(("127.0.0.1", port)) as client:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE")
            client.sendall(b"GET /set-up/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            wait_until(_somebody_waits_for_a_lock)
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: not _answers(port))
            cursor.execute("COMMIT")
        assert client.recv(12) == b"HTTP/1.1 200"
    assert server.wait(30) == 0
    assert processes_of(tmp_path) == []


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/static/staff/theme.css", timeout=1)
    except OSError:
        return False
    return True


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0])
