"""A project that pictures are added to, with folders of its own."""

import pytest


@pytest.fixture
def folders(settings, tmp_path):
    settings.MEDIA_ROOT, settings.CACHE_ROOT = tmp_path / "media", tmp_path / "cache"


@pytest.fixture
def add(db, folders):
    from labeling import images
    from labeling.models import Project

    project = Project.objects.create(state="open", slug="photos", name="Photos")
    return lambda data: images.add(project=project, data=data, source="1")[0]
