"""Child processes: how they end, whoever ends them, and what is said of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labeling.models import LeaseLost
from tests.waiting import wait_until
from training import processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def wait_for_progress(folder: Path, child: subprocess.Popen[bytes]) -> None:
    """Once the child has begun to learn, it handles signals as it means to."""
    progress = folder / "progress.jsonl"
    wait_until(lambda: progress.exists() or child.poll() is not None)


def test_a_child_that_heeds_the_signal_ends_by_it(
    tmp_path: Path, log: Path, behave: Callable[[str], None]
) -> None:
    behave("learn for ever")
    with processes.running(["fit", str(tmp_path)], log=log) as child:
        wait_for_progress(tmp_path, child)
    assert child.returncode == -signal.SIGTERM


def test_a_child_that_does_not_is_killed(
    tmp_path: Path, log: Path, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    behave("be stubborn")
    monkeypatch.setattr(processes, "STOP_TIMEOUT", 0.1)
    with processes.running(["fit", str(tmp_path)], log=log) as child:
        wait_for_progress(tmp_path, child)
    assert child.returncode == -signal.SIGKILL


def test_a_child_is_stopped_where_its_parent_fails(
    tmp_path: Path, log: Path, behave: Callable[[str], None]
) -> None:
    behave("learn for ever")
    with pytest.raises(RuntimeError), processes.running(["fit", str(tmp_path)], log=log) as child:
        raise RuntimeError
    assert child.returncode is not None


def test_a_call_that_takes_too_long_is_stopped(
    tmp_path: Path, log: Path, behave: Callable[[str], None]
) -> None:
    behave("learn for ever")
    with pytest.raises(processes.ChildError, match="longer than 0 seconds"):
        processes.call(["fit", str(tmp_path)], log=log, time_limit=0.1)


def test_a_call_that_fails_says_so_in_its_own_last_words(
    tmp_path: Path, log: Path, behave: Callable[[str], None]
) -> None:
    behave("refuse")
    with pytest.raises(processes.ChildError, match=r"^The snapshot holds no pictures"):
        processes.call(["fit", str(tmp_path)], log=log, time_limit=60)


@pytest.mark.parametrize(
    ("log_text", "status", "reason"),
    [
        ("error: The disk is full.\n", 1, "The disk is full."),
        ("10 %\r20 %\rerror: It broke.\n\n", 1, "It broke."),
        ("", 3, "Its process ended with status 3 and printed nothing."),
        ("busy", -9, "Its process was ended by SIGKILL: is there enough memory?"),
        ("busy", -11, "Its process was ended by SIGSEGV."),
    ],
)
def test_the_reason_is_the_signal_or_the_last_line(
    log: Path, log_text: str, status: int, reason: str
) -> None:
    log.write_text(log_text)
    assert processes.reason(log, status) == reason


def test_a_run_is_fitted_by_as_many_processes_as_are_wanted(
    tmp_path: Path, settings: SettingsWrapper
) -> None:
    assert processes.fitting(tmp_path) == ["fit", str(tmp_path)]
    settings.TRAINING_PROCESSES = 4
    assert processes.fitting(tmp_path) == ["fit", str(tmp_path), "--processes", "4"]


def test_a_call_that_is_no_longer_wanted_is_ended(
    tmp_path: Path, log: Path, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    behave("learn for ever")
    monkeypatch.setattr(processes, "WATCH_EVERY", 0.05)
    children: list[subprocess.Popen[bytes]] = []
    start = processes.start
    monkeypatch.setattr(
        processes,
        "start",
        lambda *given, **options: children.append(start(*given, **options)) or children[0],
    )

    def watch() -> None:
        raise LeaseLost("Somebody else is at it.")

    with pytest.raises(LeaseLost):
        processes.call(["fit", str(tmp_path)], log=log, time_limit=60, watch=watch)
    assert children[0].returncode == -signal.SIGKILL


def test_a_child_that_had_no_room_for_its_words_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=4096))
    with pytest.raises(processes.TemporaryError, match="disk of a worker is full"):
        processes.call(["nothing"], log=tmp_path / "log.txt", time_limit=60)
