"""Two machines with one storage elsewhere: a run follows its checkpoint from one to the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from config import servers
from labeling import stored_folders
from tests.training.test_runner import leased
from tests.waiting import wait_until
from training import run_folders, run_requests, runner, runs, sources
from training.engine.presets import PRESETS, SMOKE
from training.models import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from labeling.models import Snapshot
    from tests.fake_bucket import FakeBucket

STEPS = 300
HOST = """
import sys
import django
django.setup()
from pathlib import Path
from django.conf import settings
from training import run_folders, tasks
settings.CACHE_ROOT = Path(sys.argv[2])
run_folders.INTERVAL = run_folders.REST = 0.05
tasks.train(int(sys.argv[1]))
"""


@pytest.fixture
def go_to(
    settings: SettingsWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Go on as another machine, which has copies and folders of its own."""
    monkeypatch.setattr(runner, "POLL_INTERVAL", 0.05)
    monkeypatch.setattr(run_folders, "INTERVAL", 0.05)

    def go(name: str) -> None:
        stored_folders.release()
        settings.CACHE_ROOT = tmp_path / name

    return go


def queue(snapshot: Snapshot) -> Run:
    small = {**PRESETS["diffusion"][SMOKE].options, "steps": STEPS, "checkpoint_steps": 10}
    return run_requests.create(
        snapshot=snapshot,
        recipe="diffusion",
        preset=SMOKE,
        options={**small, "grid_steps": 100},
        trigger=Run.Trigger.API,
        anyway=True,
    )


def saved(run: Run) -> int:
    """Return the step of the checkpoint in the storage; -1 without one."""
    try:
        names = stored_folders.index(run_folders.name_of(run))
    except stored_folders.FolderMissing:
        return -1
    return max(map(run_folders.step_of, names))


def trained(run: Run) -> list[int]:
    lines = (run_folders.read(run, "progress.jsonl") or b"").splitlines()
    return [line["step"] for line in map(json.loads, lines) if line["stage"] == "train"]


@pytest.mark.django_db(transaction=True)
def test_a_run_goes_on_on_another_machine_once_its_own_is_dead(
    remote: FakeBucket, snapshot: Snapshot, go_to: Callable[[str], None], tmp_path: Path
) -> None:
    run = queue(snapshot)
    go_to("a")
    url = servers.database_url(servers.data_dir(), name=connection.settings_dict["NAME"])
    storage = {"FILE_STORAGE": f"s3://files?endpoint_url={remote.url}&region_name=us-east-1"}
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(run.pk), str(tmp_path / "a")],
        env=os.environ | storage | {"DATABASE_URL": url},
    )
    try:
        wait_until(lambda: saved(run) >= 10 or host.poll() is not None, limit=120)
        assert host.poll() is None
    finally:
        host.kill()  # its child dies with it
        host.wait()
    before, known = saved(run), len(trained(Run.objects.get(pk=run.pk)))
    assert 10 <= before < STEPS
    config = json.loads(run_folders.read(Run.objects.get(pk=run.pk), "config.json") or b"")
    assert config["snapshot"] == snapshot.folder and str(tmp_path) not in json.dumps(config)

    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runs.sweep() == [run.pk]
    go_to("b")
    model = runner.execute(leased(run))
    run.refresh_from_db()
    assert model and run.state == Run.State.SUCCEEDED, run.error
    assert run.attempts == 2 and run.step == STEPS
    assert min(trained(run)[known:]) >= before  # not from the first step

    go_to("web")
    assert run_folders.grids(run)[-1] == f"{STEPS:06}.png"
    assert b"<html" in (run_folders.read(run, "report.html") or b"")
    assert saved(run) == -1  # what is done needs no checkpoint
    assert (sources.fetch(model) / "model.safetensors").is_file()


def test_a_machine_that_lost_the_database_puts_nothing_over_what_others_have(
    remote: FakeBucket, settings: SettingsWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CACHE_ROOT = tmp_path / "cache"
    monkeypatch.setattr(run_folders, "INTERVAL", 0.01)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "progress.jsonl").write_text("{}\n")
    looked: list[float] = []
    copies = run_folders.Copies("runs/7", folder, {}, held=-1)  # its lease has ended
    monkeypatch.setattr(copies._ended, "wait", lambda rest: looked.append(rest) or len(looked) > 3)
    copies.begin()
    copies._thread.join(20)
    assert len(looked) > 3 and not stored_folders.exists("runs/7")
    copies = run_folders.Copies("runs/7", folder, {}, held=60)
    copies.renewed()
    copies.begin()
    wait_until(lambda: stored_folders.exists("runs/7"))
    copies.end()


@pytest.mark.django_db
def test_a_run_waits_while_the_storage_is_away(
    remote: FakeBucket,
    bare_snapshot: Snapshot,
    behave: Callable[[str], None],
    go_to: Callable[[str], None],
) -> None:
    behave("succeed")
    run = run_requests.create(
        snapshot=bare_snapshot, recipe="clip", preset=SMOKE, trigger=Run.Trigger.API
    )
    go_to("a")
    remote.refuse("GET snapshots", 1)
    assert runner.execute(leased(run)) is None
    run.refresh_from_db()
    assert run.state == Run.State.QUEUED and "storage cannot be reached" in run.delay_reason
    Run.objects.update(lease_until=None)
    assert runner.execute(leased(run))
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED and not run.delay_reason


@pytest.mark.django_db
def test_a_finished_run_waits_with_its_files_for_the_storage(
    remote: FakeBucket,
    bare_snapshot: Snapshot,
    behave: Callable[[str], None],
    go_to: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behave("succeed")
    monkeypatch.setattr(runner, "STORE_INTERVAL", 0.01)
    run = run_requests.create(
        snapshot=bare_snapshot, recipe="clip", preset=SMOKE, trigger=Run.Trigger.API
    )
    go_to("a")
    remote.refuse(f"PUT runs/{run.pk}/model", 2)
    model = runner.execute(leased(run))
    go_to("b")
    assert model and (sources.fetch(model) / "config.json").is_file()
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED and run.attempts == 1
