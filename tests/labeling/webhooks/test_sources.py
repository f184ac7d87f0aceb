"""Who tells webhooks: snapshots, imports, runs and promotions, as they end."""

import json

import pytest
from django.core.management import call_command

from labeling import snapshots, webhooks
from labeling.models import Delivery, HookEvent
from tests.pictures import plain
from training import promotion, runs
from training.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hook(shapes, olga, settings, tmp_path):
    url = "https://example.org/hook"
    return webhooks.create(project=shapes, url=url, events=HookEvent.values, by=olga)


def told(event: str) -> dict:
    """What was written down of one kind of event, once."""
    return json.loads(Delivery.objects.get(event=event).body)["data"]


def test_a_snapshot_that_is_ready(shapes):
    frozen = snapshots.freeze(project=shapes)
    assert told("snapshot.ready") == {
        "snapshot": frozen.pk,
        "sha256": frozen.sha256,
        "images": frozen.counts["images"],
    }


def test_a_run_that_ended_and_a_model_that_was_promoted(shapes, monkeypatch, ada):
    queued = Run.objects.create(
        project=shapes, snapshot=snapshots.freeze(project=shapes), recipe="clip", trigger="page"
    )
    model = runs.succeed(run=runs.acquire(run_id=queued.pk), metrics={})
    assert told("run.finished") == {"run": queued.pk, "state": "succeeded", "recipe": "clip"}
    monkeypatch.setattr(promotion, "_check_files", lambda model: None)
    promoted = promotion.promote(model, by=ada, reason="It is the first one.")
    assert told("model.promoted")["promotion"] == promoted.pk
    assert told("model.promoted")["model"] == model.pk


def test_an_import_that_is_done(shapes, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.png").write_bytes(plain())
    call_command("import_images", str(folder), project="shapes", verbosity=0)
    assert told("import.finished")["counts"]["taken"] == 1
