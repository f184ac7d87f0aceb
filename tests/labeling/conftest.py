"""A project of which snapshots are frozen."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labeling.models import Project


@pytest.fixture
def garden(db: None, settings, tmp_path: Path) -> "Project":
    """An empty project, whose files and snapshots lie in a folder of the test's own."""
    from labeling.models import Project

    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHE_ROOT = tmp_path / "cache"
    return Project.objects.create(state="open", slug="garden", name="Garden")
