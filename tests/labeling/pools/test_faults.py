"""Pools are filled whole or not at all, by one at a time, whatever happens meanwhile."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, transaction

from labeling import concepts, pools
from labeling.models import Concept, NewPictures, Pool, Question
from labeling.pools import random_slice
from labeling.tasks import fill_due_pools
from tests.concurrency import meanwhile
from tests.labeling.meadow import add_pictures
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]

# Fills a pool and stops before the end of the transaction.
_STOP_IN_THE_MIDDLE = """
import sys, time
import django
django.setup()
from labeling import pools
from labeling.models import Concept
from labeling.pools import random_slice
def stop(*_):
    print("in the middle", flush=True)
    time.sleep(600)
random_slice.mark = stop
pools.fill(Concept.objects.select_related("project").get(), 1)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    database = connection.settings_dict
    host = str(database["HOST"]).replace("/", "%2F")
    address = f"{database['USER']}@{host}:{database['PORT']}/{database['NAME']}"
    own = {"DATABASE_URL": f"postgresql://{address}", "DATA_DIR": str(tmp_path / "data")}
    return {**os.environ, **own}


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    def alone() -> object:
        try:
            return work()
        finally:
            connection.close()

    return alone


def test_who_is_killed_while_filling_leaves_nothing_half_done(
    sheep: Concept, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-c", _STOP_IN_THE_MIDDLE]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        assert pools.fill(sheep, 1, wait=False) == 0  # somebody else is at it
    finally:
        process.kill()
        process.communicate()
    assert not Question.objects.exists()
    assert Pool.objects.get().frontier == 0
    meanwhile(lambda: pools.fill(sheep, 1))
    assert Question.objects.count() == 8


def test_of_two_who_fill_a_pool_one_finds_it_full(sheep: Concept) -> None:
    work = in_thread(lambda: pools.fill(Concept.objects.select_related("project").get(), 1))
    with ThreadPoolExecutor(6) as pool:
        new = sorted(future.result() for future in [pool.submit(work) for _ in range(6)])
    assert new == [0, 0, 0, 0, 0, 8]
    assert Question.objects.count() == 8


def pause(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Have the next filling wait in its middle; return the events of its coming and going on."""
    reached, go_on = threading.Event(), threading.Event()
    mark = random_slice.mark

    def wait(*arguments: object) -> None:
        reached.set()
        assert go_on.wait(30)
        mark(*arguments)

    monkeypatch.setattr(random_slice, "mark", wait)
    return reached, go_on


def test_a_concept_that_is_deleted_while_its_pool_is_filled_is_gone(
    sheep: Concept, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = pause(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        filling = pool.submit(in_thread(lambda: pools.fill(sheep, 1)))
        assert reached.wait(30)
        deleting = pool.submit(in_thread(lambda: concepts.delete(Concept.objects.get(pk=sheep.pk))))
        wait_until_somebody_waits()
        go_on.set()
        assert filling.result() == 8
        deleting.result()
    assert not Concept.objects.exists() and not Question.objects.exists()
    assert pools.fill(sheep, 1) == 0 and not Pool.objects.exists()


def test_one_pool_that_somebody_fills_keeps_no_other_waiting(sheep: Concept) -> None:
    goat = Concept.objects.create(project=sheep.project, name="goat", phrase="a goat")
    Pool.objects.create(concept=sheep, grid=1, start=0.5)
    with transaction.atomic():
        Pool.objects.select_for_update().get(concept=sheep)
        meanwhile(fill_due_pools)
    assert Question.objects.filter(concept=goat).count() == 8
    assert not Question.objects.filter(concept=sheep).exists()


def test_one_pool_that_cannot_be_filled_keeps_no_other_waiting(
    sheep: Concept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    goat = Concept.objects.create(project=sheep.project, name="goat", phrase="a goat")
    draw = random_slice.draw

    def fail_for_sheep(pool: Pool, pictures: int) -> dict[int, float]:
        if pool.concept_id == sheep.pk:
            raise OSError("no storage")
        return draw(pool, pictures)

    monkeypatch.setattr(random_slice, "draw", fail_for_sheep)
    fill_due_pools()
    assert set(Question.objects.values_list("concept", flat=True)) == {goat.pk}
    assert f"pool of concept {sheep.pk} could not be filled" in caplog.text


def test_pictures_whose_import_is_committed_late_are_asked_about(sheep: Concept) -> None:
    def exhaust() -> None:
        while not Pool.objects.filter(frontier=1).exists():
            Question.objects.update(answers_count=1)
            fill_due_pools()

    with transaction.atomic():
        late = add_pictures(sheep.project, 5)
        meanwhile(exhaust)
    assert Question.objects.count() == 60 and NewPictures.objects.exists()
    Question.objects.update(answers_count=1)
    fill_due_pools()
    assert Question.objects.filter(tile__in=late).exclude(slice_key=None).count() == 5
    assert pools.due() == []


def test_a_pool_that_is_filled_while_pictures_come_is_told_of_them(
    sheep: Concept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filling read the circle before they were there, and ends after they were announced."""
    reached, go_on = pause(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        filling = pool.submit(in_thread(lambda: pools.fill(sheep, 1)))
        assert reached.wait(30)
        start = Pool.objects.get().start
        add_pictures(sheep.project, 1, random_keys=[start])
        noticing = pool.submit(in_thread(pools.notice))
        wait_until_somebody_waits()
        go_on.set()
        filling.result()
        assert noticing.result() == 1
    assert Pool.objects.get().frontier == 0.0
