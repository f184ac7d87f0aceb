"""The network of `make chaos` delays, loses and cuts: without that, it would prove nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.__main__ import MOUNTS
from tests.chaos.trial import DATAGRAMS

ROOT = Path(__file__).parents[2]
DELAY, LOSS = 0.02, 0.05
OWN = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]


def own_network() -> list[str]:
    """Return a command that runs another one in a network of its own; skip where none can be."""
    if not shutil.which("ip") or not shutil.which("unshare") or not Path("/dev/net/tun").exists():
        pytest.skip("it takes ip of iproute2, unshare of util-linux, and /dev/net/tun")
    command = OWN if os.geteuid() == 0 else [*OWN, "--user", "--map-root-user"]
    tries = [*command, "sh", "-c", MOUNTS, "sh", "ip", "netns", "add", "here"]
    if subprocess.run(tries, capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a network of their own")
    return command


def test_two_machines_speak_through_it_late_and_lossy_and_not_at_all_while_it_is_cut():
    trial = [sys.executable, "-m", "tests.chaos.trial", str(DELAY), str(LOSS)]
    command = [*own_network(), "sh", "-c", MOUNTS, "sh", *trial]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 2 * DELAY <= found["echo_seconds"] < 1
    assert found["whole"], "what is lost is sent again"
    assert DATAGRAMS * (1 - 4 * LOSS) < found["datagrams"] < DATAGRAMS
    assert (found["while_cut"], found["after_it"]) == (None, "cut")
