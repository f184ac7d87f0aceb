"""Snapshots and models of the project `shapes`, and a stand-in for the process that trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pictures import plain

if TYPE_CHECKING:  # settings are not read yet when this file is
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from labeling.models import Project, Snapshot
    from training.models import Model

COUNTS = ("train", "test", "images", "captions", "answers", "generated")


@pytest.fixture
def snapshot(shapes: Project) -> Snapshot:
    """Freeze the project `shapes`."""
    from labeling import snapshots

    frozen = snapshots.freeze(project=shapes)
    assert frozen.folder, frozen.error
    return frozen


@pytest.fixture
def bare_snapshot(db: None, tmp_path: Path) -> Snapshot:
    """Enough of a snapshot for a process that never looks into it."""
    from labeling import stored_folders
    from labeling.models import Concept, Project, Snapshot

    project = Project.objects.create(state="open", slug="shapes", name="Shapes")
    Concept.objects.create(project=project, name="circle", phrase="a circle")
    folder = tmp_path / "snapshot"
    (folder / "train").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "train" / "seen.png").write_bytes(plain())
    name = f"snapshots/shapes-{project.pk}"
    stored_folders.put(folder, name)
    return Snapshot.objects.create(
        project=project,
        folder=name,
        state=Snapshot.State.READY,
        counts=dict.fromkeys(COUNTS, 0) | {"train": 1, "images": 1},
    )


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replace `python -m training` by a stand-in, and return how to set its behaviour."""
    from training import processes, runner

    monkeypatch.setattr(processes, "MODULE", "tests.training.child")
    monkeypatch.setattr(runner, "POLL_INTERVAL", 0.05)
    return lambda behaviour: monkeypatch.setenv("BEHAVIOUR", behaviour)


@pytest.fixture
def model(bare_snapshot: Snapshot) -> Model:
    """A current model whose samples a stand-in generates."""
    from tests.training.studio import make_model

    return make_model(bare_snapshot, recipe="diffusion")


@pytest.fixture
def completing(model: Model) -> Model:
    """Another one, which inpaints."""
    from tests.training.studio import make_model

    assert model.run.snapshot
    return make_model(model.run.snapshot, recipe="autoregressive")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace `python -m training` by a stand-in that generates."""
    from django.core.cache import cache

    from training import processes, sampler_client

    cache.clear()  # nobody has requested anything yet
    monkeypatch.setattr(processes, "MODULE", "tests.training.child")
    yield
    sampler_client.close()
