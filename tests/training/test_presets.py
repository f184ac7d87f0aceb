"""What the web process loads, and what it does not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_process_sends_tasks_to_the_projects_own_broker() -> None:
    code = (
        "import django, sys; django.setup(); from training import jobs; "
        "sys.exit(jobs.train.app.main != 'tessera')"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_web_process_never_loads_torch() -> None:
    code = (
        "import django, sys; django.setup(); import config.urls; "
        "sys.exit('torch' in sys.modules or 'open_clip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
