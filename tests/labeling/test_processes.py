import os
import subprocess
import sys
from pathlib import Path

from labeling.processes import bound
from tests.config.servers.embedded import ROOT
from tests.waiting import wait_until


def test_a_bound_command_dies_with_its_parent() -> None:
    script = "import subprocess, sys; from labeling.processes import bound; "
    script += "c = subprocess.Popen(bound(['sleep', '60'])); print(c.pid, flush=True); c.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    comm = Path(f"/proc/{child}/comm")  # the program that it runs: the launcher, then `sleep`
    wait_until(lambda: comm.read_text() == "sleep\n")
    parent.kill()
    parent.communicate()
    wait_until(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_bound_command_does_not_start_once_its_parent_is_dead(tmp_path: Path) -> None:
    command = bound(["touch", str(tmp_path / "started")])
    command[command.index(str(os.getpid()))] = "1"  # this process is not its parent
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "started").exists()
