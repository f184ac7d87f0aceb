"""What a worker and its scheduler tell of themselves: ids, logs, metrics and signs of life."""

import logging.config
import socket
import time
from contextvars import ContextVar
from typing import Any

from celery import Task, signals
from django.conf import settings

from config.monitoring import heartbeats, ids

_started: ContextVar[float] = ContextVar("started", default=0.0)


def set_up_logging(**signal: Any) -> None:
    """Have workers write their log as web processes do."""
    logging.config.dictConfig(settings.LOGGING)


def hand_on(headers: dict[str, Any] | None = None, **signal: Any) -> None:
    """Send the request's id with each task, and with each that those send."""
    if headers is not None and (current := ids.request_id.get()):
        headers["request_id"] = current


def begin(task_id: str = "", task: "Task[..., Any] | None" = None, **signal: Any) -> None:
    """Take over the ids of a task."""
    given = task.request.get("request_id") if task is not None else None
    ids.request_id.set(given if isinstance(given, str) and ids.is_valid(given) else "")
    ids.task_id.set(task_id)
    _started.set(time.perf_counter())


def end(task: "Task[..., Any] | None" = None, state: str = "", **signal: Any) -> None:
    """Count the task, and forget its ids."""
    if settings.METRICS_TOKEN and task is not None:
        from config.monitoring import process_metrics  # only where somebody measures

        process_metrics.observe_task(task.name, state, time.perf_counter() - _started.get())
    ids.request_id.set("")
    ids.task_id.set("")


def worker_is_ready(sender: Any = None, **signal: Any) -> None:
    """Begin a worker's signs of life, and serve metrics where a port is set."""
    queues = sorted(sender.task_consumer.queues, key=str) if sender is not None else []
    names = [getattr(queue, "name", str(queue)) for queue in queues]
    heartbeats.begin(name=str(sender.hostname), kind="worker", queues=names)
    if settings.METRICS_PORT:
        from config.monitoring.serving import serve

        serve(settings.METRICS_PORT)


def worker_ends(**signal: Any) -> None:
    """End a worker's signs of life."""
    heartbeats.end()


def scheduler_begins(**signal: Any) -> None:
    """Begin a scheduler's signs of life, and note each task that it sends."""
    heartbeats.begin(name=f"scheduler@{socket.gethostname()}", kind="scheduler")
    signals.after_task_publish.connect(heartbeats.note_work, dispatch_uid=f"{__name__}.beat")


signals.setup_logging.connect(set_up_logging)
signals.before_task_publish.connect(hand_on)
signals.task_prerun.connect(begin)
signals.task_postrun.connect(end)
signals.worker_ready.connect(worker_is_ready)
signals.worker_shutdown.connect(worker_ends)
signals.beat_init.connect(scheduler_begins)
