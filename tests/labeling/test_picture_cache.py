"""The pictures that a machine keeps copies of stay within a number of bytes."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labeling import picture_cache, stored_folders

HOUR = 3_600
Keep = Callable[..., Path]


@pytest.fixture(autouse=True)
def limit(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CACHE_ROOT, settings.PICTURE_CACHE_BYTES = tmp_path, 1_000
    monkeypatch.setattr(picture_cache, "_written", 0)
    monkeypatch.setattr(picture_cache, "_begun", True)


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Return what writes a file that was used some hours ago."""

    def write(name: str, *, size: int = 300, hours: float = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * size)
        used = time.time() - hours * HOUR
        os.utime(path, (used, used))
        return path

    return write


def test_what_was_not_used_for_longest_goes_first(keep: Keep) -> None:
    names = ["tiles/ab/1.jpeg", "images/2.webp", "tiles/cd/3.webp", "tiles/ab/4.jpeg"]
    files = [keep(name, hours=9 - 2 * number) for number, name in enumerate(names)]
    picture_cache.note_use(files[0])
    assert picture_cache.sweep() == 1
    assert [file.exists() for file in files] == [True, False, True, True]


def test_below_the_bytes_nothing_goes(keep: Keep) -> None:
    for number in range(3):
        keep(f"tiles/ab/{number}.jpeg", hours=1_000)
    assert picture_cache.sweep() == 0


def test_pictures_that_a_task_reads_stay(keep: Keep) -> None:
    used = [keep(f"images/{number}.webp", hours=9) for number in range(5)]
    keep("tiles/ab/1.jpeg", hours=1)
    in_task, done = threading.Event(), threading.Event()

    def task() -> None:
        picture_cache.keep_images()
        in_task.set()
        done.wait()
        stored_folders.release()

    thread = threading.Thread(target=task)
    thread.start()
    in_task.wait()
    assert picture_cache.sweep() == 1
    assert all(path.exists() for path in used)
    done.set()
    thread.join()
    assert picture_cache.sweep() == 5


def test_whoever_writes_looks_now_and_then(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps: list[int] = []
    monkeypatch.setattr(picture_cache, "sweep", lambda: sweeps.append(1))
    for _ in range(100):
        picture_cache.note_written(5)
    while (thread := _sweeping()) is not None:
        thread.join()
    assert len(sweeps) == 25  # each time 1/64 of the bytes was written


def test_a_process_looks_at_its_first_one_where_nobody_did_for_a_day(
    monkeypatch: pytest.MonkeyPatch, keep: Keep
) -> None:
    sweeps: list[int] = []
    monkeypatch.setattr(picture_cache, "sweep", lambda: sweeps.append(1))
    for hours, expected in ((25, 1), (1, 1)):
        keep(f"tiles/{picture_cache.LOCK}", size=0, hours=hours)
        monkeypatch.setattr(picture_cache, "_begun", False)
        picture_cache.note_written(1)
        while (thread := _sweeping()) is not None:
            thread.join()
        assert len(sweeps) == expected


def _sweeping() -> threading.Thread | None:
    return next((each for each in threading.enumerate() if each.name == "picture-cache"), None)
