"""Everything that is measured, in Prometheus's text format.

What belongs to a process is counted there (`process_metrics`); what all share is read from the
database and the broker when somebody asks, by queries that stay cheap at a million tiles: small
tables, indexes, and the newest answers, never a full count.
"""

import logging
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import django
from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import OperationalError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config.celery import app
from config.monitoring import health, process_metrics
from config.monitoring.version import version

CONTENT_TYPE = CONTENT_TYPE_LATEST
KEPT_SECONDS = 5.0  # for which what all share is not asked again
QUERY_MS = 2_000  # for which a query may take
PROJECTS = 50  # that have series of their own; the rest together is "other"
NEWEST = 2_000  # answers that are looked at
GONE = "1 hour"  # after which a worker that stopped is no longer spoken of

_collector: Any = MultiProcessCollector  # which has no types
Families = Iterator[GaugeMetricFamily | CounterMetricFamily]

logger = logging.getLogger(__name__)
_lock = threading.Lock()
_kept: tuple[float, bytes] = (0.0, b"")


def exposition() -> bytes:
    """Return all metrics."""
    process_metrics.add_up()
    registry = CollectorRegistry()
    with process_metrics.reading() as folder:
        _collector(registry, str(folder))
        own = generate_latest(registry)
    return own + _shared()


def _shared() -> bytes:
    """Return what all processes share, of the last seconds."""
    global _kept
    with _lock:
        if time.monotonic() >= _kept[0]:
            registry = CollectorRegistry()
            registry.register(_Shared())
            _kept = time.monotonic() + KEPT_SECONDS, generate_latest(registry)
        return _kept[1]


def forget() -> None:
    """Have all asked again."""
    global _kept
    _kept = 0.0, b""


class _Shared(Collector):
    """Asks database and broker; a part that fails is counted as such, and hides no other."""

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        yield _build()
        failed = GaugeMetricFamily(
            "tessera_scrape_failed", "1 where a part could not be asked.", labels=["part"]
        )
        for part, read in PARTS.items():
            try:
                families = list(read())
                failed.add_metric([part], 0)
                yield from families
            except Exception as error:
                failed.add_metric([part], 1)
                logger.warning("Metrics of the %s are missing: %s", part, type(error).__name__)
        yield failed


def _build() -> GaugeMetricFamily:
    names = ["version", "python", "django"]
    family = GaugeMetricFamily("tessera_build_info", "What runs here.", labels=names)
    family.add_metric([version(), platform.python_version(), django.get_version()], 1)
    return family


def _answers() -> Families:
    """Count answers by the numbers that they were given: never a lower one, after no restart."""
    total = _rows("SELECT pg_sequence_last_value(pg_get_serial_sequence('labeling_answer', 'id'))")
    name, about = (
        "tessera_answers_total",
        "Answers that were recorded, or nearly, since the beginning.",
    )
    yield CounterMetricFamily(name, about, value=float(total[0][0] or 0))


def _states() -> Families:
    jobs = GaugeMetricFamily(
        "tessera_jobs", "Rows of work, by kind and state.", labels=["kind", "state"]
    )
    for kind, table, where in JOBS:
        query = f"SELECT state, count(*) FROM {table} {where} GROUP BY state"
        for state, count in _rows(query):
            jobs.add_metric([kind, state], count)
    yield jobs
    oldest = GaugeMetricFamily(
        "tessera_oldest_waiting_seconds",
        "Since when the oldest row waits for a worker; 0: none does.",
        labels=["kind"],
    )
    for kind, query in WAITING.items():
        oldest.add_metric([kind], float(_rows(query)[0][0] or 0))
    yield oldest


# Kinds whose rows grow into the hundred thousands are counted while they are unfinished alone.
JOBS = (
    ("run", "training_run", ""),
    ("import", "labeling_import", ""),
    ("export", "labeling_export", ""),
    ("snapshot", "labeling_snapshot", ""),
    ("generation", "training_generation", "WHERE state IN ('queued', 'running')"),
    ("delivery", "labeling_delivery", "WHERE state = 'pending'"),
)
_AGE = "SELECT extract(epoch FROM now() - min({column})) FROM {table} WHERE {where}"
_FREE = "(lease_until IS NULL OR lease_until < now())"
WAITING = {
    "run": _AGE.format(column="created_at", table="training_run", where="state = 'queued'"),
    "generation": _AGE.format(
        column="created_at", table="training_generation", where="state = 'queued'"
    ),
    "import": _AGE.format(
        column="created_at",
        table="labeling_import",
        where=f"state IN ('fetching', 'reading', 'importing') AND source = '' AND {_FREE}",
    ),
    "export": _AGE.format(
        column="created_at", table="labeling_export", where=f"state = 'writing' AND {_FREE}"
    ),
    "snapshot": _AGE.format(
        column="created_at", table="labeling_snapshot", where=f"state = 'freezing' AND {_FREE}"
    ),
    "delivery": _AGE.format(
        column="due_at", table="labeling_delivery", where="state = 'pending' AND due_at < now()"
    ),
}


def _put_off() -> Families:
    """Count what waits until the storage, the database or a disk takes it."""
    family = GaugeMetricFamily(
        "tessera_jobs_put_off",
        "Rows of work that wait for room, or for a part that is away, by kind.",
        labels=["kind"],
    )
    for kind, query in PUT_OFF.items():
        family.add_metric([kind], float(_rows(f"SELECT count(*) FROM {query}")[0][0]))
    yield family


PUT_OFF = {
    "run": "training_run WHERE state = 'queued' AND delay_reason <> ''",
    "generation": "training_generation WHERE state = 'queued' AND delay_reason <> ''",
    "import": "labeling_import WHERE state IN ('fetching', 'reading', 'importing') AND error <> ''",
    "export": "labeling_export WHERE state = 'writing' AND error <> ''",
    "snapshot": "labeling_snapshot WHERE state = 'freezing' AND error <> ''",
}


def _parts() -> Families:
    """Yield what /readyz says, and how much room this machine has."""
    works = GaugeMetricFamily(
        "tessera_part_works", "0 where /readyz names a part as away or full.", labels=["part"]
    )
    for part, found in health.readiness()[1].items():
        works.add_metric([part], float(found["ok"]))
    yield works
    free = shutil.disk_usage(settings.DATA_DIR).free
    yield GaugeMetricFamily(
        "tessera_data_free_bytes", "Room on the disk of this machine's data folder.", value=free
    )


def _webhooks() -> Families:
    family = GaugeMetricFamily(
        "tessera_webhooks", "Addresses that are told of events.", labels=["state"]
    )
    query = """
        SELECT CASE WHEN NOT active THEN 'off' WHEN failing_since IS NULL THEN 'taking'
            ELSE 'failing' END AS state, count(*) FROM labeling_webhook GROUP BY 1
    """
    for state, count in _rows(query):
        family.add_metric([state], count)
    yield family


def _pools() -> Families:
    """Yield how many questions wait in the pools when they were last filled, by project."""
    family = GaugeMetricFamily(
        "tessera_pool_questions",
        "Unanswered questions of pools when they were last filled, by project.",
        labels=["project", "slice"],
    )
    query = """
        SELECT slug, sum(random), sum(doubtful), sum(likely) FROM (
            SELECT CASE WHEN rank() OVER (ORDER BY project.id DESC) <= %s THEN project.slug
                ELSE 'other' END AS slug, pool.random, pool.doubtful, pool.likely
            FROM labeling_project project
            JOIN labeling_concept concept ON concept.project_id = project.id
            JOIN labeling_pool pool ON pool.concept_id = concept.id
            WHERE project.id IN (
                SELECT id FROM labeling_project WHERE state = 'open' ORDER BY id DESC LIMIT %s
            )
        ) pools GROUP BY slug
    """
    for slug, *sizes in _rows(query, [PROJECTS, PROJECTS]):
        for name, size in zip(("random", "doubtful", "likely"), sizes, strict=True):
            family.add_metric([slug, name], float(size))
    yield family


# Of the newest answers, those that no recomputation has seen. Where all of these are newer than the
# project's last recomputation, the oldest unseen one may lie before them, at most at that time.
_LAG = """
WITH newest AS (SELECT id, question_id, created_at FROM labeling_answer ORDER BY id DESC LIMIT %s)
SELECT project.slug, greatest(0, extract(epoch FROM now() - CASE
    WHEN (SELECT min(id) FROM newest) <= project.aggregated_to
        OR (SELECT count(*) FROM newest) < %s THEN min(newest.created_at)
    ELSE coalesce(min(done.finished_at), min(newest.created_at)) END))
FROM newest
JOIN labeling_question question ON question.id = newest.question_id
JOIN labeling_project project ON project.id = question.project_id
LEFT JOIN labeling_recomputation done ON done.project_id = project.id
WHERE newest.id > project.aggregated_to
GROUP BY project.id ORDER BY 2 DESC LIMIT %s
"""


def _recomputations() -> Families:
    lag = GaugeMetricFamily(
        "tessera_recomputation_lag_seconds",
        "Age of the oldest answer that no recomputation has seen, by project.",
        labels=["project"],
    )
    for slug, seconds in _rows(_LAG, [NEWEST, NEWEST, PROJECTS]):
        lag.add_metric([slug], float(seconds))
    yield lag
    states = GaugeMetricFamily(
        "tessera_recomputations", "Projects, by the state of their recomputation.", labels=["state"]
    )
    for state, count in _rows("SELECT state, count(*) FROM labeling_recomputation GROUP BY 1"):
        states.add_metric([state], count)
    yield states


def _heartbeats() -> Families:
    worker = GaugeMetricFamily(
        "tessera_worker_silent_seconds",
        "Since a worker's last sign of life, by queue.",
        labels=["worker", "queue"],
    )
    scheduler = GaugeMetricFamily(
        "tessera_scheduler_silent_seconds", "Since any scheduler sent a task."
    )
    query = f"""
        SELECT name, unnest(queues), extract(epoch FROM now() - at) FROM labeling_heartbeat
        WHERE kind = 'worker' AND at > now() - interval '{GONE}'
    """
    for name, queue, seconds in _rows(query):
        worker.add_metric([name, queue], float(seconds))
    yield worker
    last = "SELECT extract(epoch FROM now() - max(worked_at)) FROM labeling_heartbeat"
    if (seconds := _rows(last)[0][0]) is not None:
        scheduler.add_metric([], float(seconds))
    yield scheduler


def _queues() -> Families:
    family = GaugeMetricFamily(
        "tessera_queue_messages", "Tasks that the broker holds, by queue.", labels=["queue"]
    )
    with app.connection_for_read(transport_options=_QUICK) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
        for name in sorted(settings.CELERY_TASK_QUEUES):
            family.add_metric([name], _length(broker, name))
    yield family


_QUICK = {"socket_timeout": 2, "socket_connect_timeout": 2}


def _length(broker: Any, queue: str) -> int:
    """Return how many messages wait; 0 of a queue that is not made yet."""
    channel = broker.channel()
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except (OperationalError, *broker.channel_errors):
        return 0
    finally:
        channel.close()


PARTS: dict[str, Callable[[], Families]] = {
    "answers": _answers,
    "jobs": _states,
    "put off": _put_off,
    "parts": _parts,
    "webhooks": _webhooks,
    "pools": _pools,
    "recomputations": _recomputations,
    "heartbeats": _heartbeats,
    "broker": _queues,
}


def _rows(query: str, parameters: list[int] | None = None) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {QUERY_MS}")
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall())
