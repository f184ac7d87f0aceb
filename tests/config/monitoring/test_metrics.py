"""What Prometheus is told, and whom nobody tells anything."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.monitoring import middleware
from labeling import counters
from labeling.models import Delivery, Heartbeat, Project, Webhook

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "of-sixteen-letters-or-more"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def garden(db: None) -> Project:
    return Project.objects.create(state="open", slug="garden", name="Garden")


@pytest.fixture
def measured(
    settings: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Metrics are switched on, and nothing is kept of an earlier scrape."""
    settings.METRICS_TOKEN = TOKEN
    settings.METRICS_ROOT = tmp_path_factory.getbasetemp() / "metrics"  # once a test process
    from config.monitoring import process_metrics  # first: it says where files are kept

    monkeypatch.setattr(counters, "_sinks", [process_metrics.count])
    from config.monitoring import metrics

    metrics.forget()
    yield metrics
    metrics.forget()


def _parse(text: str) -> Samples:
    samples: Samples = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{(.*?)\})? (\S+)$", text, re.MULTILINE):
        pairs = re.findall(r'(\w+)="(.*?)"', labels)
        samples[name, tuple(sorted(pairs))] = float(value)
    return samples


def _scrape(client: Client) -> Samples:
    response = client.get(
        "/metrics", headers={"authorization": f"Bearer {TOKEN}", "host": "10.0.0.7"}
    )
    assert response.status_code == 200 and response["Cache-Control"] == "no-store"
    return _parse(response.content.decode())


def test_there_is_no_such_page_without_a_token(client, db):
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}"])
def test_whoever_lacks_the_token_is_told_nothing(client, measured, header):
    headers = {} if header is None else {"authorization": header}
    response = client.get("/metrics", headers=headers)
    assert (response.status_code, response.content) == (401, b"")
    assert not middleware.is_scraper("")


def test_answers_over_http_are_counted_by_view_and_never_by_path(client, db, measured):
    before = _scrape(client)
    client.get("/sign-in/")
    client.get("/no-such-page/of-somebody/")
    after = _scrape(client)
    name = "tessera_http_request_duration_seconds_count"
    sign_in = name, (("method", "GET"), ("status", "200"), ("view", "login"))
    unknown = name, (("method", "GET"), ("status", "404"), ("view", "none"))
    assert after[sign_in] == before.get(sign_in, 0) + 1
    assert after[unknown] == before.get(unknown, 0) + 1
    assert not any("somebody" in str(labels) for _, labels in after)


def test_events_and_tasks_are_counted(client, db, measured):
    from config.monitoring import process_metrics

    challenge = "tessera_challenges_total", (("kind", "grid"), ("outcome", "passed"))
    task = "tessera_task_duration_seconds_count", (("state", "FAILURE"), ("task", "some.task"))
    before = _scrape(client)
    counters.count("challenges", kind="grid", outcome="passed")
    process_metrics.observe_task("some.task", "FAILURE", 0.2)
    after = _scrape(client)
    assert after[challenge] == before.get(challenge, 0) + 1
    assert after[task] == before.get(task, 0) + 1


def test_what_ended_processes_counted_is_kept_in_few_files(client, db, measured):
    from config.monitoring import process_metrics

    code = (
        f"import os; os.environ['PROMETHEUS_MULTIPROC_DIR'] = {str(process_metrics.FOLDER)!r}\n"
        "from prometheus_client import Counter, Gauge\n"
        "Counter('tessera_challenges', 'c', ['kind', 'outcome']).labels('split', 'failed').inc(3)\n"
        "Gauge('tessera_database_pool_waiting', 'g', multiprocess_mode='livesum').set(5)\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
    assert len(list(process_metrics.FOLDER.glob("gauge_livesum_*.db"))) >= 2
    for _ in range(2):
        samples = _scrape(client)
        key = "tessera_challenges_total", (("kind", "split"), ("outcome", "failed"))
        assert samples[key] == 6
        assert samples["tessera_database_pool_waiting", ()] == 0
    numbers = {path.stem.rpartition("_")[2] for path in process_metrics.FOLDER.glob("*.db")}
    assert numbers <= {"0", str(os.getpid())}


def test_the_number_of_answers_never_falls(client, transactional_db, measured):
    first = _scrape(client)["tessera_answers_total", ()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('labeling_answer', 'id'))")
    measured.forget()
    assert _scrape(client)["tessera_answers_total", ()] > first


def test_work_that_waits_is_told_with_its_age(client, garden, measured):
    now = timezone.now()
    hook = Webhook.objects.create(project=garden, url="https://a.example/", events=[], secret="s")
    due = now - timedelta(minutes=5)
    Delivery.objects.create(webhook=hook, event="ping", body="{}", due_at=due)
    Heartbeat.objects.create(
        name="worker@here", kind="worker", queues=["celery"], at=now - timedelta(seconds=90)
    )
    Heartbeat.objects.create(
        name="scheduler@here", kind="scheduler", at=now, worked_at=now - timedelta(seconds=20)
    )
    samples = _scrape(client)
    assert samples["tessera_jobs", (("kind", "delivery"), ("state", "pending"))] == 1
    assert samples["tessera_oldest_waiting_seconds", (("kind", "delivery"),)] >= 299
    assert samples["tessera_oldest_waiting_seconds", (("kind", "run"),)] == 0
    assert samples["tessera_webhooks", (("state", "taking"),)] == 1
    worker = "tessera_worker_silent_seconds", (("queue", "celery"), ("worker", "worker@here"))
    assert 89 <= samples[worker] < 120
    assert 19 <= samples["tessera_scheduler_silent_seconds", ()] < 50
    assert samples["tessera_queue_messages", (("queue", "celery"),)] >= 0
    assert not [key for key, value in samples.items() if key[0].endswith("failed") and value]


def test_projects_beyond_the_newest_share_their_series(client, db, measured, monkeypatch):
    monkeypatch.setattr(measured, "PROJECTS", 1)
    for slug in ("old", "new"):
        project = Project.objects.create(state="open", slug=slug, name=slug)
        concept = project.concepts.create(name="bicycle")
        concept.pools.create(grid=1, start=0.0, random=3, doubtful=2, likely=1)
    samples = _scrape(client)
    of_pools = [labels for name, labels in samples if name == "tessera_pool_questions"]
    slugs = {dict(labels)["project"] for labels in of_pools}
    assert slugs == {"new"}
    assert samples["tessera_pool_questions", (("project", "new"), ("slice", "random"))] == 3


def test_a_part_that_cannot_be_asked_hides_no_other(client, garden, measured, monkeypatch):
    def fail() -> Any:
        raise OSError("broker at secret-host")

    monkeypatch.setitem(measured.PARTS, "broker", fail)
    samples = _scrape(client)
    assert samples["tessera_scrape_failed", (("part", "broker"),)] == 1
    assert ("tessera_answers_total", ()) in samples


def test_a_scrape_asks_only_once_in_some_seconds_and_counts_nothing_in_full(
    client, garden, measured
):
    with CaptureQueriesContext(connection) as queries:
        _scrape(client)
        asked = len(queries)
        _scrape(client)
    assert len(queries) == asked
    large = "labeling_answer ", "labeling_question ", "labeling_tile", "labeling_image "
    for query in queries:
        if "count(*)" in query["sql"] and "LIMIT" not in query["sql"]:
            assert not any(f"FROM {table}" in query["sql"] for table in large)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is missing")
def test_prometheus_finds_no_fault_with_them(client, garden, measured):
    client.get("/sign-in/")
    text = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).content
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_place_of_counts_on_the_disk_is_taken_at_once(measured, tmp_path):
    from config.monitoring import metrics_file

    file = metrics_file.MetricsFile(str(tmp_path / "counter_1.db"))
    about = (tmp_path / "counter_1.db").stat()
    assert about.st_blocks * 512 >= about.st_size == metrics_file.INITIAL_SIZE
    file.close()


def test_without_room_a_process_counts_in_its_memory(measured, tmp_path, monkeypatch):
    from config.monitoring import metrics_file

    path = tmp_path / "counter_1.db"
    file = metrics_file.MetricsFile(str(path))
    file.write_value("first", 1.0, 0.0)
    place = metrics_file._take
    monkeypatch.setattr(
        metrics_file, "_take", lambda name, size: "memfd" in name or place("/nowhere/at/all", size)
    )
    for number in range(3_000):
        file.write_value(f"key {number}", float(number), 0.0)
    assert file.read_value("key 2999")[0] == 2999.0 and file.read_value("first")[0] == 1.0
    file.close()
    assert path.stat().st_size == metrics_file.INITIAL_SIZE
    new = metrics_file.MetricsFile(str(tmp_path / "counter_2.db"))
    new.write_value("first", 1.0, 0.0)
    assert new.read_value("first")[0] == 1.0 and not (tmp_path / "counter_2.db").exists()
    new.close()
