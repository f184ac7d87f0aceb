"""What waits says where no worker takes it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Heartbeat, Project
from training import run_summary
from training.models import Generation, Model, Run

pytestmark = pytest.mark.django_db


def worker(*queues: str, silent: float = 0.0) -> None:
    at = timezone.now() - timedelta(seconds=silent)
    Heartbeat.objects.create(name=f"worker-{queues}", kind="worker", queues=list(queues), at=at)


def waits_for(client: Client) -> str:
    asked = Generation.objects.get()
    answer = client.get(f"/api/v1/generations/{asked.pk}/").json()
    return str(answer["waits_for"])


@pytest.fixture
def asked(client: Client, model: Model) -> Generation:
    request = {"model": model.pk, "prompt": "a blue square", "count": 1}
    client.post("/api/v1/generations/", request, "application/json")
    return Generation.objects.get()


def test_a_drawing_says_that_no_worker_draws(client: Client, asked: Generation) -> None:
    worker("celery", "train")
    worker("draw", silent=60)
    assert waits_for(client) == ""  # one may be about to start
    earlier = asked.created_at - timedelta(minutes=1)
    Generation.objects.update(created_at=earlier)
    assert waits_for(client).startswith("No worker draws at the moment")
    worker("draw", "io")
    assert waits_for(client) == ""


def test_a_drawing_says_that_the_storage_is_away(client: Client, asked: Generation) -> None:
    Generation.objects.update(delay_reason="The storage cannot be reached.")
    assert waits_for(client) == "The storage cannot be reached."


def test_a_run_says_which_worker_is_missing(shapes: Project, settings) -> None:
    earlier = timezone.now() - timedelta(minutes=1)
    run = Run.objects.create(project=shapes, recipe="gan", preset="gpu")
    Run.objects.update(created_at=earlier)
    run.refresh_from_db()
    assert "start one with `tessera worker --queues train`" in run_summary.starts(run)
    worker("train")
    assert run_summary.starts(run) == "a worker takes it up within seconds"
    settings.GPU_RUNS_WAIT = True
    assert "start one with `tessera worker --queues train-gpu`" in run_summary.starts(run)
