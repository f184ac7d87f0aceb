import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import servers
from config.servers.paths import log_path
from tests.config.demo import (
    IN_THE_MIDDLE,
    ROOT,
    Demo,
    processes_of,
    status,
    wait_until_nothing_is_left,
)
from tests.config.servers.embedded import daemon_pid, main_pid, pids
from tests.demo_pictures import lay_out
from tests.waiting import wait_until


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    demos: list[Demo] = []
    yield demos
    for demo in demos:
        demo.stop(signal.SIGTERM)


@pytest.fixture
def port() -> int:
    return _free_port()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A first start without the demo project, until another test has it killed."""
    demo = Demo(tmp_path_factory.mktemp("demo"), _free_port(), arguments=["--empty"])
    try:
        demo.wait_until_ready()
        yield demo
    finally:
        demo.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def started_again(empty: Demo) -> Iterator[Demo]:
    """A demo that runs where another one was killed."""
    empty.process.kill()
    empty.process.wait()
    wait_until_nothing_is_left(empty.data_dir)
    demo = Demo(empty.data_dir, empty.port)
    try:
        demo.wait_until_ready()
        yield demo
    finally:
        demo.stop(signal.SIGTERM)


def test_an_empty_copy_says_where_the_first_administrator_is_made(empty: Demo) -> None:
    line = empty.wait_until_it_says("  Make the first administrator at ")
    address = line.removeprefix("  Make the first administrator at ").strip()
    assert address.startswith(f"{empty.url}set-up/?code=")
    with urllib.request.urlopen(empty.url, timeout=60) as page:
        assert page.url == f"{empty.url}set-up/"
    with urllib.request.urlopen(address, timeout=60) as page:
        assert address.partition("=")[2] in page.read().decode()
    assert not (empty.data_dir / "admin-password").exists()


def test_the_demo_recovers_from_being_killed(started_again: Demo) -> None:
    data_dir = started_again.data_dir
    assert started_again.url == f"http://127.0.0.1:{started_again.port}/"
    assert status(f"{started_again.url}admin/login/") == 200
    assert (data_dir / "admin-password").stat().st_mode & 0o777 == 0o600
    assert _readable_by_others(data_dir) == []


def test_a_first_start_beside_it_that_is_ended_leaves_all_of_the_project_or_nothing(
    started_again: Demo, demos: list[Demo], port: int, tmp_path: Path
) -> None:
    modules, data_dir = tmp_path / "modules", tmp_path / "data"
    lay_out(modules)
    for number in (signal.SIGKILL, signal.SIGTERM):
        ended = Demo(data_dir, port, modules=modules, stuck=True)
        ended.wait_until_it_says(IN_THE_MIDDLE)
        ended.stop(number)
        wait_until_nothing_is_left(data_dir)
    demos.append(Demo(data_dir, port, modules=modules))
    demos[0].wait_until_it_says("The demo project is made: 58 images, ")
    assert status(demos[0].wait_until_ready()) == 200
    assert status(started_again.url) == 200
    assert demos[0].stop(signal.SIGINT) == 0
    assert processes_of(data_dir) == []


def _readable_by_others(data_dir: Path) -> list[Path]:
    paths = [path for path in data_dir.rglob("*") if path.is_file()]
    return [path for path in paths if path.stat().st_mode & 0o077]


def test_a_copy_that_cannot_run_beside_it_says_in_a_sentence_why_not(
    started_again: Demo, port: int, tmp_path: Path
) -> None:
    sentence = Demo(tmp_path, started_again.port).sentence()
    assert "Port" in sentence
    assert "PORT=8001" in sentence
    assert not (tmp_path / "postgresql").exists()
    assert "is in use by another running copy" in Demo(started_again.data_dir, port).sentence()


def test_the_site_outlives_its_broker_its_database_and_their_daemon(started_again: Demo) -> None:
    data_dir, url = started_again.data_dir, started_again.url
    _kill(data_dir, "valkey")
    assert status(url) == 200
    _kill(data_dir, "postgresql")
    wait_until(lambda: status(url) == 200)
    wait_until(lambda: bool(pids(data_dir, "valkey")))
    started_again.stop_reading()  # as a terminal that was closed
    os.kill(daemon_pid(data_dir), signal.SIGKILL)
    wait_until(lambda: servers.running(data_dir))
    wait_until(lambda: status(url) == 200)
    _wait_until_the_worker_does_a_task(data_dir)
    assert started_again.process.poll() is None


def _kill(data_dir: Path, name: str) -> None:
    os.kill(main_pid(data_dir, name), signal.SIGKILL)


def _wait_until_the_worker_does_a_task(data_dir: Path) -> None:
    """Send a task and wait until the worker's log says that it was done."""
    command = [sys.executable, "-m", "celery", "-A", "config.celery", "call"]
    sent = subprocess.run(
        [*command, "labeling.tasks.aggregate_due"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    done = f"aggregate_due[{sent.stdout.strip()}] succeeded"
    wait_until(lambda: done in log_path(data_dir, "worker").read_text())


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
