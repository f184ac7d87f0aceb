"""A real worker with its scheduler: what it writes, counts and tells of itself."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from socket import socket

import pytest
from django.db import connection

from config import celery, servers, services
from config.monitoring import alive, ids
from labeling.models import Heartbeat
from tests.waiting import wait_until

RAN = "run/labeling.tasks.aggregate"
TOKEN = "of-sixteen-letters-or-more"


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_worker_logs_ids_beats_reports_and_serves_metrics(transactional_db, tmp_path, receiver):
    port, log = _free_port(), tmp_path / "log"
    celery.app.control.purge()
    environment = {
        "DATABASE_URL": servers.database_url(
            servers.data_dir(), name=connection.settings_dict["NAME"]
        ),
        "LOG_FORMAT": "json",
        "METRICS_TOKEN": TOKEN,
        "METRICS_PORT": str(port),
        "SENTRY_DSN": receiver.dsn,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",  # milliseconds
    }
    with log.open("wb") as file:
        worker = subprocess.Popen(
            [sys.executable, *services.WORKER, "-c", "1", "-n", "watched@here"],
            env={**os.environ, **environment},
            stdout=file,
            stderr=file,
        )
    try:
        wait_until(lambda: b" ready." in log.read_bytes(), explain=log.read_text)
        reset = ids.request_id.set("from-a-request")
        celery.app.send_task("labeling.tasks.aggregate", [10**9])
        ids.request_id.reset(reset)
        wait_until(lambda: b"succeeded in" in log.read_bytes(), explain=log.read_text)
        lines = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
        assert "[queues]" not in log.read_text()  # Celery's banner is no line of JSON
        received = [line for line in lines if "succeeded in" in line["message"]]
        assert received and received[0]["logger"] == "celery.app.trace"
        assert {line.get("request_id") for line in received} == {"from-a-request"}
        assert len(received[0]["task_id"]) == 36
        celery.app.send_task(
            "labeling.tasks.aggregate", ["Secret"], headers={"request_id": "from-another"}
        )
        wait_until(receiver.events, explain=log.read_text)
        (event,) = receiver.events()
        assert event["exception"]["values"][-1]["type"] == "ValueError"
        assert event["tags"]["request_id"] == "from-another" and event["tags"]["task_id"]
        wait_until(lambda: any(span.name == RAN for span in receiver.spans()))
        beat = Heartbeat.objects.get(name="watched@here")
        assert beat.kind == "worker" and "celery" in beat.queues
        assert alive.silent(servers.data_dir(), "watched@here", 60) == []
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        assert 'tessera_task_duration_seconds_count{state="SUCCESS",task="labeling.tasks.' in text
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)
    finally:
        worker.terminate()
        worker.wait(20)
    assert not (Path(servers.data_dir()) / "heartbeats" / "worker" / "watched@here").exists()
