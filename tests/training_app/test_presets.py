"""What the web process offers is what the torch core knows."""

import json
import subprocess
import sys
from pathlib import Path

from training import runs

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import json
from training.recipes import PRESETS
print(json.dumps({recipe: sorted(presets) for recipe, presets in PRESETS.items()}))
"""


def test_presets_agree_with_the_core() -> None:
    known = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(known) == {name: sorted(them) for name, them in runs.PRESETS.items()}


def test_every_process_sends_tasks_to_the_projects_own_broker() -> None:
    code = (
        "import django, sys; django.setup(); from training import jobs; "
        "sys.exit(jobs.train.app.main != 'tessera')"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_web_process_never_loads_torch() -> None:
    code = (
        "import django, sys; django.setup(); import labeling.urls; "
        "sys.exit('torch' in sys.modules or 'open_clip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
