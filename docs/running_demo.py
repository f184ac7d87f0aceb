"""What the scripts that take pictures of the running demo share: Django set up, and where it is."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

from config import servers  # noqa: E402
from config.demo_project import visitors  # noqa: E402
from labeling.models import Project  # noqa: E402

DOCS = ROOT / "docs"
DATA = servers.data_dir()
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"


def is_running() -> bool:
    """Whether an installation runs in the data folder."""
    return servers.running(DATA)


def project() -> Project:
    """Return the demo's project. Exits where the demo does not run."""
    if not is_running():
        sys.exit("The demo is not running: start it with `make demo`.")
    return Project.objects.get(slug="demo")


def answered_project() -> Project:
    """Return it once visitors have answered."""
    answered = project()
    visitors.take_part(answered)
    return answered
