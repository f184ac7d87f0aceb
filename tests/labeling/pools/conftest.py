"""A meadow of pictures that nobody has looked at, and a concept to be asked about."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labeling.models import Concept, Project

PICTURES = 60


@pytest.fixture
def meadow(db: None, settings, tmp_path: Path) -> "Project":
    """A project of sixty pictures, whose pools hold four doubtful, two likely, two random."""
    from labeling import pools
    from labeling.models import Project
    from tests.labeling.meadow import add_pictures

    settings.MEDIA_ROOT, settings.CACHE_ROOT = tmp_path / "media", tmp_path / "cache"
    settings.POOL_DOUBTFUL, settings.POOL_LIKELY, settings.POOL_RANDOM = 4, 2, 2
    project = Project.objects.create(state="open", slug="meadow", name="Meadow")
    add_pictures(project, PICTURES)
    pools.notice()
    return project


@pytest.fixture
def sheep(meadow: "Project") -> "Concept":
    from labeling.models import Concept

    return Concept.objects.create(project=meadow, name="sheep", phrase="a sheep", prevalence=0.2)
