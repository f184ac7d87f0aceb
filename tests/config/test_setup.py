import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO_WITHOUT_PICTURES = """
import sys
from django.core import management
from config.management.commands import demo
sys.path.insert(0, ".")
import manage
call = management.call_command
demo.call_command = lambda name, **options: name == "load_demo" or call(name, **options)
sys.argv = ["manage.py", "demo"]
manage.main()
"""


class Demo:
    """A demo in a process of its own, as make would start it."""

    def __init__(self, data_dir: Path, port: int | str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-c", DEMO_WITHOUT_PICTURES],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port), "DATA_DIR": str(data_dir)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_ready(self) -> str:
        assert self.process.stdout
        patience = threading.Timer(90, self.process.kill)
        patience.start()
        for line in self.process.stdout:
            if ready := re.fullmatch(r"Tessera is ready at (http://127\.0\.0\.1:\d+/)\n", line):
                patience.cancel()
                return ready[1]
        raise AssertionError(f"It ended with {self.process.wait()}.")

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode

    def sentence(self) -> str:
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 1
        assert "Traceback" not in said
        return said


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[list[Demo]]:
    demos: list[Demo] = []
    yield demos
    for demo in demos:
        demo.stop(signal.SIGTERM)


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _processes_of(data_dir: Path) -> list[str]:
    """Command lines of all living processes that have to do with the data folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            known = command + (process / "environ").read_bytes()
            known += os.fsencode((process / "cwd").readlink())
        except OSError:
            continue
        if os.fsencode(data_dir) in known:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def _wait_until_nothing_is_left(data_dir: Path) -> None:
    deadline = time.monotonic() + 60
    while left := _processes_of(data_dir):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_the_demo_recovers_from_being_killed_and_stops_when_told_to(
    demos: list[Demo], port: int, tmp_path: Path
) -> None:
    demos.append(Demo(tmp_path, port))
    demos[0].wait_until_ready()
    demos[0].process.kill()
    _wait_until_nothing_is_left(tmp_path)

    demos.append(Demo(tmp_path, port))
    url = demos[1].wait_until_ready()
    assert url == f"http://127.0.0.1:{port}/"
    with urllib.request.urlopen(f"{url}admin/login/") as page:
        assert page.status == 200
    assert (tmp_path / "admin-password").stat().st_mode & 0o777 == 0o600
    assert demos[1].stop(signal.SIGINT) == 0
    assert _processes_of(tmp_path) == []


def test_copies_side_by_side_work_or_say_in_a_sentence_why_not(
    demos: list[Demo], port: int, tmp_path: Path
) -> None:
    demos.append(Demo(tmp_path / "one", port))
    demos[0].wait_until_ready()
    assert "Port" in (said := Demo(tmp_path / "two", port).sentence()) and "PORT=8001" in said
    assert not (tmp_path / "two" / "postgresql").exists()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = other.getsockname()[1]
    assert "is in use by another running copy" in Demo(tmp_path / "one", free).sentence()
    demos.append(Demo(tmp_path / "two", free))
    demos[1].wait_until_ready()


@pytest.mark.parametrize("port", ["none", "0", "70000", "-1", "٣"])
def test_a_port_that_is_none_gives_a_sentence(port: str, tmp_path: Path) -> None:
    assert "PORT must be a number from 1 to 65535" in Demo(tmp_path, port).sentence()


def test_a_command_finds_the_embedded_database_or_starts_it(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "migrate", "--plan"]
    environment = {**os.environ, "DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert b"labeling.0001_initial" in done.stdout
    assert _processes_of(tmp_path) == []
    assert (tmp_path / "postgresql").exists()


def test_help_starts_no_server(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "migrate", "--help"]
    environment = {**os.environ, "DATA_DIR": str(tmp_path)}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert not (tmp_path / "postgresql").exists()


def test_make_says_in_a_sentence_that_python_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/environment", "Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    for number in range(11, 15):
        (tmp_path / f"python3.{number}").symlink_to("/bin/false")
    (tmp_path / "python3").symlink_to("/bin/false")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [str(tmp_path / "scripts" / "environment")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Python 3.11 or newer with its venv module is needed" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    wanted += project["project"]["optional-dependencies"]["lora"]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    names = {re.split(r"[\[<>=]", each)[0].lower().replace("_", "-") for each in wanted}
    assert names <= pinned
