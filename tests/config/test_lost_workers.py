"""Tasks over which a worker's processes die are not tried for ever."""

from collections.abc import Callable
from pathlib import Path

from config.lost_workers import ATTEMPTS, PAUSE, REMEMBERED, Losses
from config.servers.paths import log_path
from tests import lethal_tasks
from tests.waiting import wait_until
from tests.worker import Worker

KEY = "labeling.tasks.aggregate", "(7,)"


def test_what_kills_processes_is_left_alone_after_a_few_times(
    start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = start_worker("-I", "tests.lethal_tasks")
    marks = {name: tmp_path / name for name in ("lethal", "large", "harmless")}
    log = log_path(tmp_path, "worker-0")
    lethal_tasks.lethal.delay(str(marks["lethal"]))
    lethal_tasks.too_large.delay(str(marks["large"]))
    wait_until(lambda: log.read_text().count("is left alone for 10 minutes") == 2)
    pickled = tmp_path / "pickled"
    lethal_tasks.mark.apply_async([str(pickled)], serializer="pickle")
    lethal_tasks.lethal.delay(str(marks["lethal"]))
    lethal_tasks.mark.delay(str(marks["harmless"]))
    wait_until(marks["harmless"].exists)
    assert worker.poll() is None
    assert marks["lethal"].read_text() == marks["large"].read_text() == "x" * ATTEMPTS
    assert not pickled.exists() and "ContentDisallowed" in log.read_text()
    assert "waits: processes of this worker died over it" in log.read_text()


def test_it_is_tried_again_after_a_pause_and_forgotten_in_the_end() -> None:
    now = 0.0
    losses = Losses(lambda: now)
    assert [losses.count(KEY) for _ in range(ATTEMPTS)] == [False] * (ATTEMPTS - 1) + [True]
    assert losses.pauses(KEY) and not losses.pauses(("labeling.tasks.aggregate", "(8,)"))
    now += PAUSE
    assert not losses.pauses(KEY)
    assert losses.count(KEY), "the next loss pauses it at once"
    now += REMEMBERED + PAUSE
    assert not losses.count(KEY)
