"""Snapshots over the API."""

import pytest

from labeling import snapshots
from labeling.models import Snapshot
from tests.labeling.garden import add

pytestmark = pytest.mark.django_db


def test_a_snapshot_says_how_far_it_is_and_whether_anybody_writes_it(garden, ada_client):
    add(garden, 1)
    snapshot = snapshots.begin(project=garden)
    address = f"/api/v1/snapshots/{snapshot.pk}/"
    assert ada_client.get(address).json()["status"] == "waiting for a worker"

    Snapshot.objects.acquire(snapshot.pk, progress=0.4)
    body = ada_client.get(address).json()
    assert (body["state"], body["status"]) == ("freezing", "freezing, 40% written")
    assert body["progress"] == 0.4 and body["heartbeat_at"] is not None

    Snapshot.objects.all().revoke()
    snapshots.fill(snapshot)
    body = ada_client.get(address).json()
    assert (body["state"], body["status"], body["progress"]) == ("ready", "ready", 1.0)
