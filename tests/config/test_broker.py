import socket
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from kombu.exceptions import OperationalError

from config import broker
from config.celery import app
from labeling import enqueue, tasks


def test_nobody_waits_for_good_for_a_broker_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    assert options["socket_timeout"]
    monkeypatch.setitem(options, "socket_timeout", 0.1)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "broker"))
        hung.listen()
        url = f"redis+socket://{tmp_path / 'broker'}"
        with app.connection(url) as connection, pytest.raises(OperationalError):
            app.send_task("some.task", connection=connection, retry=False)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("gone"),
        AttributeError("gone"),  # kombu's, of a channel that was closed between two tries
    ],
)
def test_a_broker_that_failed_is_not_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    asked = []

    def fail(*arguments: object, **options: object) -> None:
        asked.append(arguments)
        raise error

    monkeypatch.setattr(enqueue, "_away_until", 0.0)
    monkeypatch.setattr(tasks.aggregate, "apply_async", fail)
    for _ in range(3):
        enqueue._send(tasks.aggregate, (7,), "")
    assert len(asked) == 1
    assert [record.message for record in caplog.records] == [
        "No worker was woken for labeling.tasks.aggregate(7,): gone"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@host:6379/1",
        "rediss://host/0",
        "redis+socket:///run/valkey",
        "amqp://guest@one//;amqp://guest@two//",
        "amqps://host/tessera",
    ],
)
def test_redis_valkey_and_rabbitmq_are_brokers(url: str) -> None:
    assert broker.checked(url) == url
    waits = broker.transport_options(url)
    assert ("visibility_timeout" in waits) == url.startswith("redis")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqs://key:secret@", "must begin with redis://"),
        ("localhost:6379", "must begin with redis://"),
        ("redis://one;redis://two", "must begin with redis://"),
        ("sentinel://one:26379;sentinel://two:26379", "Sentinel and Redis Cluster are not"),
    ],
)
def test_another_broker_is_refused_in_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence) as refused:
        broker.checked(url)
    assert "secret" not in str(refused.value)


def test_work_of_one_kind_waits_for_no_other() -> None:
    queues = {name: route["queue"] for name, route in settings.CELERY_TASK_ROUTES.items()}
    app.loader.import_default_modules()
    assert queues.keys() <= app.tasks.keys()
    assert set(queues.values()) | {"celery", "train-gpu"} == set(settings.CELERY_TASK_QUEUES)
    for task in (tasks.advance_import, tasks.make_export, tasks.freeze):
        assert app.amqp.router.route({}, task.name)["queue"].name == "io"
    for quick in (tasks.aggregate, tasks.take_in_attempts, tasks.send_to_webhook):
        assert app.amqp.router.route({}, quick.name)["queue"].name == "celery"


def test_a_plain_worker_takes_all_queues() -> None:
    assert set(app.amqp.queues.consume_from) == set(settings.QUEUES)
