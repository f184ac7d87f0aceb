"""Imports, exports and snapshots that wait say where no worker takes them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Heartbeat, Import, Project, Snapshot

pytestmark = pytest.mark.django_db
NONE = "no worker takes it: start one with `tessera worker --queues io`"


def worker(*queues: str, silent: float) -> None:
    at = timezone.now() - timedelta(seconds=silent)
    Heartbeat.objects.create(name=f"worker-{queues}", kind="worker", queues=list(queues), at=at)


def test_a_snapshot_says_that_no_worker_takes_it(garden: Project) -> None:
    waiting = Snapshot.objects.create(project=garden)
    assert waiting.status == "waiting for a worker"  # one may be about to start
    waiting.created_at -= timedelta(minutes=1)
    worker("celery", silent=0)
    worker("io", silent=60)
    assert waiting.status == NONE
    worker("io", "train", silent=5)
    assert waiting.status == "waiting for a worker"


def test_an_import_says_so_on_its_page_and_by_the_api(garden: Project, ada_client: Client) -> None:
    record = Import.objects.create(project=garden, state=Import.State.UPLOADING)
    earlier = timezone.now() - timedelta(minutes=1)
    Import.objects.update(active_at=earlier)
    address = f"/projects/{garden.slug}/imports/{record.pk}/"
    api = f"/api/v1/imports/{record.pk}/"
    assert ada_client.get(api).json()["waits_for"] == ""  # it is its sender who is waited for
    Import.objects.update(state=Import.State.READING)
    assert ada_client.get(api).json()["waits_for"] == NONE
    assert "No worker takes it: start one" in ada_client.get(address).content.decode()
    until = timezone.now() + timedelta(minutes=1)
    Import.objects.update(lease_token="held", lease_until=until)
    assert ada_client.get(api).json()["waits_for"] == ""
