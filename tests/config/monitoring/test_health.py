"""What load balancers and orchestrators ask of a process and of its workers."""

import errno
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.core.cache.backends.dummy import DummyCache
from django.core.files.storage import default_storage
from django.db import connection, connections
from django.test import Client
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from config import cache as cache_module
from config.monitoring import alive, health, heartbeats
from labeling.models import Heartbeat
from tests.at_once import run_at_once
from tests.labeling.full_database import DISK_FULL


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each check asked again, on the tests' connection where that is the database's."""
    monkeypatch.setattr(health, "CHECKS", tuple(_again(check) for check in health.CHECKS))
    monkeypatch.setattr(health, "_migrated", threading.Event())


def _again(check: health.Check) -> health.Check:
    return health.Check(check.name, check._ask, required=check.required, every=0.0)


def _ready(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/readyz", headers={"host": "10.0.0.7:8000"})  # no ALLOWED_HOSTS has it
    assert response["Cache-Control"] == "no-store" and not response.cookies
    return response.status_code, json.loads(response.content)


def test_a_live_process_says_so_under_any_host_and_asks_nothing(client):
    response = client.get("/healthz", headers={"host": "10.0.0.7:8000"})
    assert response.status_code == 200 and response.json() == {"alive": True}
    assert not response.cookies and "X-Request-ID" not in response


def test_it_is_ready_where_all_parts_answer(client, transactional_db):
    status, answer = _ready(client)
    assert (status, answer["ready"]) == (200, True)
    parts = {"database", "database room", "cache", "broker", "storage", "storage room"}
    assert set(answer["checks"]) == parts
    assert all(each["ok"] and each["seconds"] < 2 for each in answer["checks"].values())


def test_the_public_does_not_hear_what_it_stands_on(client, transactional_db):
    answer = client.get("/readyz", headers={"x-forwarded-for": "203.0.113.7"})
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


def test_without_the_database_it_is_not_ready_and_tells_no_secret(client, transactional_db, caplog):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("HOST", "/nowhere"), ("PASSWORD", "hunter2")):
            patch.setitem(connections.settings["default"], name, value)
        status, answer = _ready(client)
    assert (status, answer["ready"]) == (503, False)
    error = answer["checks"]["database"]["error"]
    assert error == "It cannot be reached (OperationalError)."
    assert not caplog.records
    assert "hunter2" not in json.dumps(answer) and "nowhere" not in json.dumps(answer)


def test_a_database_that_lacks_migrations_is_not_ready(client, transactional_db, monkeypatch):
    last = health._last_migrations() | {("labeling", "0999_of_tomorrow")}
    monkeypatch.setattr(health, "_last_migrations", lambda: last)
    status, answer = _ready(client)
    assert status == 503
    sentence = "It lacks migrations (labeling.0999_of_tomorrow): run tessera migrate."
    assert answer["checks"]["database"]["error"] == sentence


def test_it_stays_ready_without_cache_and_storage_but_says_so(
    client, transactional_db, monkeypatch
):
    monkeypatch.setattr(health, "cache", DummyCache("", {}))

    def refuse(name: str) -> bool:
        raise PermissionError(f"s3://secret-bucket/{name}")

    monkeypatch.setattr(default_storage, "exists", refuse)
    status, answer = _ready(client)
    checks = answer["checks"]
    assert (status, checks["cache"]["ok"], checks["storage"]["ok"]) == (200, False, False)
    assert checks["storage"]["error"] == "It cannot be reached (PermissionError)."


def test_a_bucket_that_refuses_is_told_in_words(client, transactional_db, monkeypatch):
    def refuse(name: str) -> bool:
        answer = {"Error": {"Code": "InvalidAccessKeyId", "Message": "hunter2"}}
        raise ClientError(answer, "HeadObject")

    monkeypatch.setattr(default_storage, "exists", refuse)
    _, answer = _ready(client)
    sentence = "It cannot be used: the bucket knows no such credentials, or they are wrong."
    assert answer["checks"]["storage"]["error"] == sentence


def test_it_stays_ready_without_room_but_says_so(client, transactional_db, monkeypatch):
    monkeypatch.setattr(health, "_SORT", f"DO $$ BEGIN RAISE SQLSTATE '{DISK_FULL}'; END $$")
    status, answer = _ready(client)
    checks = answer["checks"]
    assert (status, checks["database"]["ok"]) == (200, True)
    assert checks["database room"]["error"].startswith("The disk of the database is full")


def test_a_bucket_without_room_says_so(remote):
    for status, code, words in (
        (507, "QuotaExceeded", "The storage is full: make room in it."),
        (500, "InternalError", "It is read-only: what it holds can be read"),  # as SeaweedFS says
        (403, "AccessDenied", "It is read-only: what it holds can be read"),
    ):
        remote.refuse("PUT checks", 1, status, code)
        with pytest.raises(health.NotReady, match=words):
            health.ask_storage_room()
    for request in ("PUT checks", "HEAD checks"):
        remote.refuse(request, 1)
    with pytest.raises(health.NotReady, match="It is away"):
        health.ask_storage_room()
    health.ask_storage_room()
    assert remote.keys("files") == []


def test_a_folder_that_is_mounted_read_only_says_so(monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(health.objects, "write", refuse)
    with pytest.raises(health.NotReady, match="It is read-only"):
        health.ask_storage_room()


def test_the_database_is_asked_to_write(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, COSTS OFF) " + health._SORT)
        assert "external merge" not in str(cursor.fetchall()), "it takes little memory"
        cursor.execute("SET work_mem = '64kB'")
        cursor.execute("EXPLAIN (ANALYZE, COSTS OFF) " + health._SORT)
        assert "external merge" in str(cursor.fetchall())
        cursor.execute("RESET work_mem")


@pytest.mark.parametrize(
    "error", [OutOfMemoryError("OOM"), ResponseError("MISCONF Errors writing to the AOF file")]
)
def test_a_cache_without_room_is_told_from_one_that_is_away(monkeypatch, error):
    outage = cache_module._Outage()
    monkeypatch.setattr(cache_module, "_outage", outage)
    outage.begin(error)
    assert cache_module.why_away().startswith("It is full")
    outage.begin(RedisError("Connection refused"))
    assert cache_module.why_away() == "It is away."


def test_a_part_that_hangs_is_waited_for_once_and_not_asked_again(monkeypatch):
    asked, answer = [], threading.Event()

    def hang() -> None:
        asked.append(1)
        answer.wait(30)

    monkeypatch.setattr(health, "SECONDS", 0.05)
    check = health.Check("storage", hang, required=False, every=1.0)
    for _ in range(3):
        check.begin()
        result = check.result(time.monotonic() + 0.05)
        assert not result.ok and "did not answer" in result.error
    answer.set()
    assert asked == [1]


def test_while_a_part_hangs_nobody_else_waits_for_it(monkeypatch):
    monkeypatch.setattr(health, "SECONDS", 0.05)
    answer = threading.Event()
    check = health.Check("storage", lambda: answer.wait(30), required=False, every=1.0)
    check.begin()
    assert not check.result(time.monotonic() + 0.05).ok
    began = time.monotonic()
    assert not check.result(began + 20).ok and time.monotonic() - began < 10
    answer.set()


def test_many_who_ask_at_once_begin_one_check(db):
    asked, answer = [], threading.Event()

    def ask() -> None:
        asked.append(1)
        answer.wait(30)

    check = health.Check("database", ask, required=True, every=1.0)
    run_at_once(*[check.begin] * 8)
    answer.set()
    assert check.result(time.monotonic() + 10).ok and asked == [1]


def test_a_worker_writes_signs_of_life_by_which_probes_know_it(db, settings, tmp_path, capsys):
    settings.DATA_DIR = tmp_path
    assert alive.silent(tmp_path, "worker", 60)[0].startswith("There is no sign of worker in ")
    heartbeats.write("worker@here", "worker", ["celery", "generate"])
    row = Heartbeat.objects.get()
    assert (row.name, row.queues, row.worked_at) == ("worker@here", ["celery", "generate"], None)
    assert alive.silent(tmp_path, "worker", 60) == []
    os.utime(tmp_path / "heartbeats" / "worker" / "worker@here", (0, time.time() - 100))
    sentence = "worker@here has given no sign of life for 100 seconds."
    assert alive.silent(tmp_path, "", 60) == [sentence]


def test_a_full_disk_hides_no_sign_of_life(db, settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    heartbeats.write("worker@here", "worker", [])
    os.utime(tmp_path / "heartbeats" / "worker" / "worker@here", (0, 0))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    heartbeats.write("worker@here", "worker", [])
    assert alive.silent(tmp_path, "worker", 60) == []
    with pytest.raises(OSError, match="No space"):
        heartbeats.write("other@here", "worker", [])
    assert Heartbeat.objects.filter(name="other@here").exists()


def test_a_scheduler_tells_when_it_sent_its_last_task(db, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    heartbeats.note_work()
    heartbeats.write("scheduler@here", "scheduler", [])
    sent = Heartbeat.objects.get().worked_at
    assert sent is not None
    heartbeats.write("scheduler@here", "scheduler", [])
    assert Heartbeat.objects.get().worked_at == sent


def test_the_command_for_probes_exits_by_what_it_finds(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert alive.main(["worker"]) == 1
    assert "no sign of worker" in capsys.readouterr().err
    alive.touch(tmp_path, "worker", "celery@here")
    assert alive.main(["worker"]) == 0


def test_workers_of_one_machine_are_found_by_their_kind(tmp_path: Path) -> None:
    for name in ("worker-7@here", "worker-8@here"):
        alive.touch(tmp_path, "worker", name)
    assert alive.silent(tmp_path, "worker", 60) == []
    assert alive.silent(tmp_path, "work", 60)[0].startswith("There is no sign of work ")


def test_the_file_of_a_killed_worker_alarms_nobody_who_has_another(tmp_path: Path) -> None:
    alive.touch(tmp_path, "worker", "worker-7@here")
    killed = tmp_path / "heartbeats" / "worker" / "worker-8@here"
    killed.write_text("999999999\n")
    assert alive.silent(tmp_path, "worker", 60) == []
    (tmp_path / "heartbeats" / "worker" / "worker-7@here").unlink()
    assert alive.silent(tmp_path, "worker", 60)[0].startswith("There is no sign of worker in ")
