"""Which GPUs runs and drawings use, with made-up GPUs and locks of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.training.test_runner import queue
from training import devices, processes, runs, tasks
from training.devices import Device
from training.models import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from labeling.models import Snapshot

DRIVER = """#!/bin/sh
echo 'GPU 0: H200 (UUID: GPU-aaaa-1)'
echo 'GPU 1: H200 (UUID: GPU-bbbb-2)'
echo '  MIG 1g.18gb Device  0: (UUID: MIG-cccc-3)'
echo '  MIG 1g.18gb Device  1: (UUID: MIG-dddd-4)'
"""


@pytest.fixture(autouse=True)
def own_locks(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.CACHE_ROOT = tmp_path


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a GPU, and another that is divided in two."""
    program = tmp_path / "nvidia-smi"
    program.write_text(DRIVER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices._all_gpus.cache_clear()
    yield
    devices._all_gpus.cache_clear()


def held_elsewhere(name: str) -> subprocess.Popen[bytes]:
    """Start a process that holds a lock until it is killed."""
    code = (
        "import sys; from django.conf import settings; from pathlib import Path;"
        "settings.configure(CACHE_ROOT=Path(sys.argv[1]));"
        "from training import machine_lock; lock = machine_lock.take(sys.argv[2]); assert lock;"
        "print(flush=True); sys.stdin.read()"
    )
    root = str(devices.settings.CACHE_ROOT)
    process = subprocess.Popen(
        [sys.executable, "-c", code, root, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout and process.stdout.readline() == b"\n"
    return process


def test_a_machine_without_gpus_is_one_device_as_it_is(
    settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices._all_gpus.cache_clear()
    assert devices.of_machine() == [Device(None)] and not devices.has_gpu()
    with devices.acquire() as device, devices.acquire() as second:
        assert device == Device(None) and second is None
        assert devices.environment() == {}
    settings.TRAINING_DEVICES = ["cpu"]
    assert Device("").environment["CUDA_VISIBLE_DEVICES"] == ""
    assert devices.of_machine() == [Device("")] and not devices.has_gpu()


@pytest.mark.usefixtures("driver")
def test_all_gpus_are_those_that_the_driver_lists_and_the_process_may_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [device.name for device in devices.of_machine()]
    assert names == ["GPU-aaaa-1", "MIG-cccc-3", "MIG-dddd-4"] and devices.has_gpu()
    devices._all_gpus.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3,-1,4")
    assert [device.name for device in devices.of_machine()] == ["2", "3"]


def test_two_runs_use_two_gpus_and_a_third_waits(settings: SettingsWrapper) -> None:
    settings.TRAINING_DEVICES = ["0", "1"]
    elsewhere = held_elsewhere("run 0")
    try:
        with devices.acquire() as device:
            assert device == Device("1")
            assert devices.environment()["CUDA_VISIBLE_DEVICES"] == "1"
            assert processes._environment(None)["CUDA_VISIBLE_DEVICES"] == "1"
            with devices.acquire() as third:
                assert third is None
    finally:
        elsewhere.kill()
        elsewhere.communicate()
    with devices.acquire() as device:
        assert device == Device("0")  # whose holder has died


def test_processes_that_train_together_take_their_gpus_together(settings: SettingsWrapper) -> None:
    settings.TRAINING_DEVICES, settings.TRAINING_PROCESSES = ["0", "1", "2"], 2
    with devices.acquire() as device:
        assert device == Device("0,1")
        with devices.acquire() as second:
            assert second is None
        settings.TRAINING_PROCESSES = 1
        with devices.acquire() as second:
            assert second == Device("2")


def test_runs_and_drawings_keep_apart_as_long_as_there_is_room(settings: SettingsWrapper) -> None:
    settings.TRAINING_DEVICES = ["0", "1"]
    with ExitStack() as stack:
        drawing, lock = devices.acquire_for_drawing()
        assert drawing == Device("0") and lock
        stack.enter_context(lock)
        assert stack.enter_context(devices.acquire()) == Device("1")
        drawing, second = devices.acquire_for_drawing()
        assert drawing == Device("1") and second
        stack.enter_context(second)
        drawing, third = devices.acquire_for_drawing()
        assert drawing.name and third is None  # shared: nobody waits for hours to see a picture


@pytest.mark.django_db
def test_a_run_that_wants_a_gpu_waits_for_one_where_that_is_set(
    bare_snapshot: Snapshot, settings: SettingsWrapper, behave: Callable[[str], None]
) -> None:
    behave("succeed")
    settings.TRAINING_DEVICES = ["cpu"]
    wanting, other = queue(bare_snapshot), queue(bare_snapshot)
    Run.objects.filter(pk=wanting.pk).update(preset="gpu-s")
    assert not runs.another_is_next(run_id=other.pk)  # they are in two queues
    assert set(runs.takeable()) == {wanting, other}
    settings.GPU_RUNS_WAIT = True
    assert set(runs.takeable()) == {other}
    tasks.train(wanting.pk)
    wanting.refresh_from_db()
    assert wanting.state == Run.State.QUEUED
    settings.TRAINING_DEVICES = ["0"]
    assert set(runs.takeable()) == {wanting, other}


@pytest.mark.django_db
def test_a_run_of_another_version_is_left_to_a_worker_that_reads_it(
    bare_snapshot: Snapshot,
) -> None:
    from training import run_summary

    run = queue(bare_snapshot)
    Run.objects.filter(pk=run.pk).update(format=99, code="9.0+abc")
    assert runs.acquire(run_id=run.pk) is None
    run.refresh_from_db()
    assert "waits for a worker with version 9.0+abc" in run_summary.starts(run)
