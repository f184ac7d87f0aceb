import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.servers import server
from config.servers.supervisor import Service, Supervisor, SupervisorError
from tests.waiting import wait_until

SLEEP = "import time; time.sleep(60)"
DEAF = "import pathlib, signal; [signal.signal(s, signal.SIG_IGN) for s in (15, 3)]; "
STUBBORN = f"{DEAF} pathlib.Path('deaf').touch(); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, messages: list[str]) -> Iterator[Supervisor]:
    (tmp_path / "logs").mkdir()
    supervisor = Supervisor(data_dir=tmp_path, notify=messages.append)
    yield supervisor
    supervisor.stop()


def _service(name: str, script: str, folder: Path) -> Service:
    return Service(name, [sys.executable, "-c", f"import os; os.chdir({str(folder)!r}); {script}"])


def _process(service: Service) -> subprocess.Popen[bytes]:
    assert service.process
    return service.process


def _wait_for_processes(folder: Path, count: int) -> None:
    wait_until(lambda: len(server.working_in(folder)) == count)


def test_it_restarts_what_died_and_shows_the_end_of_its_log(
    supervisor: Supervisor, messages: list[str], tmp_path: Path
) -> None:
    script = "import pathlib; p = pathlib.Path('once'); n = p.exists(); p.touch(); "
    service = _service("web", script + f"n or exit('out of paper'); {SLEEP}", tmp_path)
    supervisor.start(service)
    _process(service).wait()
    supervisor.check()
    assert "The web process died" in messages[0]
    assert "out of paper" in messages[0]
    _wait_for_processes(tmp_path, 1)


def test_it_does_not_speak_of_an_empty_log(
    supervisor: Supervisor, messages: list[str], tmp_path: Path
) -> None:
    service = _service("web", SLEEP, tmp_path)
    supervisor.start(service)
    _process(service).kill()
    _process(service).wait()
    supervisor.check()
    assert messages == ["The web process died.\nIt is started again."]


def test_it_gives_up_on_what_keeps_dying(supervisor: Supervisor, tmp_path: Path) -> None:
    service = _service("worker", "exit('no luck')", tmp_path)
    supervisor.start(service)
    with pytest.raises(SupervisorError, match="no luck"):
        for _ in range(10):
            _process(service).wait()
            supervisor.check()


def test_it_stops_everything_with_what_it_had_started(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(_service("web", SLEEP, tmp_path))
    supervisor.start(_service("worker", PARENT, tmp_path))
    _wait_for_processes(tmp_path, 3)
    supervisor.stop()
    _wait_for_processes(tmp_path, 0)


def test_it_kills_what_does_not_want_to_stop(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.servers.supervisor.GRACE", 0.2)
    service = _service("web", STUBBORN, tmp_path)
    supervisor.start(service)
    wait_until((tmp_path / "deaf").exists)  # it ignores the signals from here on
    supervisor.stop()
    assert _process(service).returncode == -9
