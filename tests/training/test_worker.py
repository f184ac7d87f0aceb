"""Real runs in a real worker, and what becomes of them when it is killed."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from labeling import stored_folders
from labeling.models import Snapshot
from tests.waiting import wait_until
from tests.worker import Worker
from training import tasks, zero_shot
from training.engine.presets import PRESETS, SMOKE
from training.models import Generation, Model, Run, Sample

State = Run.State
BEFORE_ITS_END = (Generation.State.QUEUED, Generation.State.RUNNING)


def wait_for(run: Run, reached: Callable[[Run], object]) -> None:
    """Wait until a run, read again each time, has reached something."""

    def check() -> object:
        run.refresh_from_db()
        return reached(run)

    wait_until(check, explain=lambda: (run.state, run.stage, run.error), limit=300)


def start(snapshot: Snapshot, recipe: str, **options: int | str) -> Run:
    """Start a run as quick as a trial, whose pictures may be shown to people all the same."""
    return tasks.start_run(
        snapshot=snapshot,
        recipe=recipe,
        preset="cpu",
        options={**PRESETS[recipe][SMOKE].options, **options},
        trigger=Run.Trigger.COMMAND,
        anyway=True,
    )


def folder_of(run: Run) -> Path:
    """Return where the run's process works."""
    return stored_folders.working(run.folder)


def checkpoints(run: Run) -> list[int]:
    """Return the steps of a run's checkpoints."""
    return sorted(int(path.stem) for path in folder_of(run).glob("checkpoints/*.safetensors"))


def trained(run: Run) -> list[int]:
    """Return the training steps in the run's progress.jsonl, in their order."""
    lines = map(json.loads, (folder_of(run) / "progress.jsonl").read_text().splitlines())
    return [line["step"] for line in lines if line["stage"] == "train"]


def processes() -> dict[int, tuple[int, str]]:
    """Return every process with its parent and its command line."""
    running = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
            running[int(folder.name)] = (parent, words)
    return running


def fitting(run: Run) -> list[int]:
    ending = f"-m training fit {folder_of(run)}"
    return [pid for pid, (_, words) in processes().items() if words.strip().endswith(ending)]


def kill_worker(worker: Worker) -> None:
    """Kill a worker with its pool at once, as a machine that runs out of memory might."""
    pool = [pid for pid, (parent, _) in processes().items() if parent == worker.pid]
    worker.kill()
    worker.wait()
    for pid in pool:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_run_survives_its_worker_and_its_pictures_become_questions(
    start_worker: Callable[[], Worker],
    snapshot: Snapshot,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zero_shot, "due", list)  # which would keep the worker busy meanwhile
    first = start_worker()
    quick: dict[str, int | str] = {"checkpoint_steps": 10, "one_call_steps": 10}
    run = start(snapshot, "diffusion", space="components", steps=400, **quick)
    wait_for(run, lambda run: run.folder and checkpoints(run) and run.steps)
    assert fitting(run)
    kill_worker(first)
    wait_until(lambda: not fitting(run))
    saved, before = checkpoints(run)[-1], len(trained(run))
    assert 10 <= saved < 400
    run.refresh_from_db()
    assert run.state == State.RUNNING and run.step < run.steps  # nobody knows yet
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.recover()
    run.refresh_from_db()
    assert run.state == State.QUEUED
    start_worker()
    wait_for(run, lambda run: run.state == State.SUCCEEDED)
    assert run.attempts == 2 and run.step == run.steps == 400
    assert min(trained(run)[before:]) >= saved  # it went on from there

    model = Model.objects.get(run=run)
    wait_for(run, lambda run: Model.objects.filter(run=run, reviewed_at__isnull=False))
    model.refresh_from_db()
    assert model.verdict and model.verdict["judges"], model.verdict
    if not model.current:
        tasks.promote(model=model, by=ada, reason="It draws circles.")
    wait_for(run, lambda run: Model.objects.filter(run=run, feedback__isnull=False))
    model.refresh_from_db()
    assert model.feedback and "error" not in model.feedback, model.feedback
    asked = Sample.objects.filter(generation__model=model, question__isnull=False)
    assert "a circle" in asked.values_list("generation__prompt", flat=True)
    assert model.feedback == {
        "samples": asked.count(),
        "questions": asked.values("question").distinct().count(),
    }

    generation = tasks.start_generation(model=model, prompt="a red circle", count=2, seed=3)
    ended = Generation.objects.filter(pk=generation.pk).exclude(state__in=BEFORE_ITS_END)
    wait_until(ended.exists)
    generation.refresh_from_db()
    assert generation.state == Generation.State.SUCCEEDED, generation.error
    assert [sample.seed for sample in generation.samples.all()] == [3, 4]
    nearest = [sample.nearest[0]["file_name"] for sample in generation.samples.all()]
    files = stored_folders.index(snapshot.folder)
    assert all(f"train/{name}" in files for name in nearest)
