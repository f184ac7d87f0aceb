"""A little project of coloured shapes, and a snapshot of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw

if TYPE_CHECKING:  # settings are not read yet when this file is
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django.contrib.auth.models import User

    from labeling.models import Project, Snapshot
    from training.models import Model

COLOURS = ("red", "green", "blue", "orange")
SHAPES = ("circle", "square")
COUNTS = ("train", "test", "images", "captions", "answers", "generated")


@pytest.fixture
def project(db: None) -> Project:
    """Thirty-two shapes with captions; half of the questions are gold, half are open."""
    from labeling import images, questions
    from labeling.images import tiles
    from labeling.models import Concept, Project, Question

    project = Project.objects.create(slug="shapes", name="Shapes", retrain_after=10)
    circle, square = (
        Concept.objects.create(project=project, name=shape, phrase=f"a {shape}", prevalence=0.5)
        for shape in SHAPES
    )
    for number in range(32):
        colour, shape = COLOURS[number % 4], SHAPES[number // 4 % 2]
        image, _ = images.add(
            project=project,
            data=draw(colour, shape, number),
            source=f"{number}.png",
            keywords=[colour, shape],
        )
        tile = tiles.whole(image)
        truth = {(tile.pk, circle.pk): shape == "circle"} if number < 16 else {}
        questions.ask_concepts(tiles=[tile], concepts=[circle, square], gold=truth)
        questions.ask_captions(
            captions=[(tile, f"a {colour} {shape}")], source=Question.Source.IMPORT, prior=0.9
        )
    return project


@pytest.fixture
def snapshot(project: Project) -> Snapshot:
    from labeling import snapshots

    frozen = snapshots.freeze(project=project)
    assert frozen.folder, frozen.error
    return frozen


@pytest.fixture
def bare_snapshot(db: None, tmp_path: Path) -> Snapshot:
    """Enough of a snapshot for a process that never looks into it."""
    from labeling.models import Concept, Project, Snapshot

    project = Project.objects.create(slug="shapes", name="Shapes")
    Concept.objects.create(project=project, name="circle", phrase="a circle")
    folder = tmp_path / "snapshot"
    (folder / "train").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    Image.new("RGB", (32, 32), "red").save(folder / "train" / "seen.png")
    return Snapshot.objects.create(
        project=project,
        folder=str(folder),
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
def model(bare_snapshot: Snapshot, tmp_path: Path) -> Model:
    """A current model whose samples a stand-in generates."""
    from tests.training.studio import make_model

    return make_model(bare_snapshot, tmp_path, recipe="diffusion")


@pytest.fixture
def completing(model: Model, tmp_path: Path) -> Model:
    """Another one, which inpaints."""
    from tests.training.studio import make_model

    assert model.run.snapshot
    return make_model(model.run.snapshot, tmp_path, recipe="autoregressive")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace `python -m training` by a stand-in that generates."""
    from django.core.cache import cache

    from training import processes, sampler_client

    cache.clear()  # nobody has requested anything yet
    monkeypatch.setattr(processes, "MODULE", "tests.training.child")
    yield
    sampler_client.close()


@pytest.fixture
def trainer(db: None) -> User:
    from django.contrib.auth.models import User

    return User.objects.create_superuser("trainer", password="x")


def draw(colour: str, shape: str, number: int) -> bytes:
    picture = Image.new("RGB", (32, 32), "white")
    box = (4 + number % 5, 5, 22 + number % 7, 25)
    pen = ImageDraw.Draw(picture)
    (pen.ellipse if shape == "circle" else pen.rectangle)(box, fill=colour)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
