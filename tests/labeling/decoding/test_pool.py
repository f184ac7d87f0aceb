"""Processes that decode, and what happens when one of them ends."""

import os
import signal

import pytest

from labeling.decoding import ImageRejected, Picture, pool, prepare
from labeling.decoding.pool import DecodingPool, PoolError
from tests import fragile_worker
from tests.fragile_worker import HOSTILE
from tests.pictures import png, with_many_scans
from tests.processes import children, is_alive
from tests.waiting import wait_until

LIMITS = {"bytes_max": 1_000_000, "pixels_max": 4_000_000}


@pytest.fixture
def fragile(monkeypatch):
    """Let processes crash over hostile pictures."""
    monkeypatch.setattr(pool.worker, "__name__", fragile_worker.__name__)


def workers():
    return children(os.getpid(), of="worker")


def test_processes_give_what_is_prepared_here():
    files = [png(number) for number in range(5)]
    with DecodingPool(**LIMITS) as decoding_pool:
        assert decoding_pool.submit(files).result() == [prepare(data, **LIMITS) for data in files]
    assert not workers()


def test_what_is_no_picture_is_rejected_beside_those_that_are():
    with DecodingPool(**LIMITS) as decoding_pool:
        picture, rejection = decoding_pool.submit([png(), b"nonsense"]).result()
    assert isinstance(picture, Picture)
    assert isinstance(rejection, ImageRejected) and "not a readable picture" in str(rejection)


def test_the_limits_hold_in_the_processes():
    with DecodingPool(bytes_max=10, pixels_max=1) as decoding_pool:
        (rejection,) = decoding_pool.submit([png()]).result()
    assert "larger than" in str(rejection)


def test_a_picture_that_ends_its_process_is_rejected_alone(fragile):
    files = [png(1), HOSTILE, png(2), HOSTILE + b" too", png(3)]
    with DecodingPool(**LIMITS) as decoding_pool:
        results = decoding_pool.submit(files).result()
        assert decoding_pool.submit([png(4)]).result() == [prepare(png(4), **LIMITS)]
    assert [isinstance(result, Picture) for result in results] == [True, False, True, False, True]
    assert str(results[1]) == "decoding it ended the process (Segmentation fault)"


def test_a_picture_that_would_keep_its_process_busy_for_ever_is_rejected_alone(fragile):
    endless = with_many_scans(20_000)
    with DecodingPool(**LIMITS) as decoding_pool:
        first, rejection, last = decoding_pool.submit([png(1), endless, png(2)]).result()
    assert isinstance(first, Picture) and isinstance(last, Picture)
    assert str(rejection) == "decoding it ended the process (Profiling timer expired)"


def test_a_process_that_somebody_kills_costs_no_picture():
    with DecodingPool(**LIMITS, max_processes=1) as decoding_pool:
        decoding_pool.submit([png(0)]).result()
        (child,) = workers()
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: not is_alive(child))
        results = decoding_pool.submit([png(1), png(2)]).result()
    assert all(isinstance(result, Picture) for result in results)


def test_processes_that_cannot_start_are_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(pool.worker, "__name__", "no_such_module")
    with DecodingPool(**LIMITS) as decoding_pool:
        future = decoding_pool.submit([png()])
        with pytest.raises(PoolError, match=r"did not start \(exit status 1\)\."):
            future.result()


def test_leaving_kills_the_processes_and_forgets_the_rest():
    with pytest.raises(KeyboardInterrupt), DecodingPool(**LIMITS, max_processes=1) as decoding_pool:
        futures = [decoding_pool.submit([png(n)] * 200) for n in range(5)]
        futures[0].result()
        raise KeyboardInterrupt
    assert futures[-1].cancelled()
    assert not workers()
