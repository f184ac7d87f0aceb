"""Two real schedulers: one sends, and the other does once the first is dead."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from config import servers
from config.places import ROOT
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("SERVICES" not in os.environ, reason="make services runs it"),
]
SENT = "Sending due task take-in-attempts"  # every five seconds


@pytest.fixture
def beats(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    url = servers.database_url(servers.data_dir(), name=connection.settings_dict["NAME"])
    beats = []
    for number in range(2):
        with log(tmp_path, number).open("wb") as output:
            command = [sys.executable, "-m", "celery", "-A", "config.celery", "beat", "-l", "INFO"]
            beat = subprocess.Popen(
                [*command, "--pidfile="],
                cwd=ROOT,
                env=os.environ | {"DATABASE_URL": url},
                stdout=output,
                stderr=output,
            )
        beats.append(beat)
    yield beats
    for beat in beats:
        beat.kill()
        beat.wait()


def log(folder: Path, number: int) -> Path:
    return folder / f"beat-{number}.log"


def sent(folder: Path, number: int) -> int:
    return log(folder, number).read_text().count(SENT)


def test_the_second_takes_over_in_time_when_the_first_dies(beats, tmp_path):
    wait_until(lambda: sent(tmp_path, 0) + sent(tmp_path, 1) >= 2)
    first = 0 if sent(tmp_path, 0) else 1
    assert sent(tmp_path, 1 - first) == 0
    beats[first].kill()
    died_at = time.monotonic()
    wait_until(lambda: sent(tmp_path, 1 - first))
    assert time.monotonic() - died_at < 15
