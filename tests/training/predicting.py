"""A real, tiny CLIP, and a project of coloured squares that it is to predict."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labeling import images, pools, questions, stored_folders
from labeling.images import tiles
from labeling.models import Concept, Project, Question
from tests.training.engine.conftest import restored
from tests.training.engine.runs import square, write_run, write_snapshot
from tests.training.studio import make_model
from training import processes
from training.__main__ import main
from training.models import Run

if TYPE_CHECKING:
    from labeling.models import Snapshot
    from training.models import Model


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fit a CLIP to coloured squares, and return its model folder."""
    work = tmp_path_factory.mktemp("clip")
    snapshot = write_snapshot(work / "squares")
    write_run(work / "run", snapshot, work / "cache", recipe="clip")
    with restored():
        assert main(["fit", str(work / "run")]) == 0
    return work / "run" / "model"


@pytest.fixture
def in_this_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Execute what a child process would here, where torch is imported once."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(arguments: list[str], **options: object) -> None:
        if main(arguments):
            raise processes.ChildError(capsys.readouterr().err)

    monkeypatch.setattr(processes, "call", call)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def squares(db: None) -> Project:
    """Red and blue squares, of which nobody was asked anything; one has a caption."""
    project = Project.objects.create(state="open", slug="squares", name="Squares")
    for colour in ("red", "blue"):
        Concept.objects.create(project=project, name=colour, phrase=f"a {colour}", prevalence=0.5)
        for number in range(8):
            data = square(colour, left=1 + number, top=3)
            image, _ = images.add(project=project, data=data, source=f"{colour} {number}.png")
    caption = tiles.whole(image), "a blue square"
    questions.ask_captions(captions=[caption], source=Question.Source.IMPORT, prior=0.5)
    pools.fill_project(project)
    return project


@pytest.fixture
def clip(squares: Project, clip_folder: Path, bare_snapshot: Snapshot) -> Model:
    """The project's current CLIP, which has given nothing back yet."""
    bare_snapshot.project = squares
    bare_snapshot.save()
    model = make_model(bare_snapshot, recipe="clip")
    stored_folders.put(clip_folder, model.folder)
    Run.objects.update(state=Run.State.SUCCEEDED)
    return model
