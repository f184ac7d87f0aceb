"""What people say of drawings teaches the next models by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labeling import images, questions, snapshot_folder, snapshots, stored_folders
from labeling.images import tiles
from labeling.models import Annotator, Question
from tests.cast import answer
from tests.pictures import striped
from tests.training.studio import make_model
from training import judged_drawings, outlook, readiness, retraining, run_requests, runner, runs
from training.engine.data import preferences
from training.engine.presets import PREFERENCES
from training.models import Model, Run

if TYPE_CHECKING:
    from labeling.models import Image, Project, Snapshot


def drawn(project: Project, number: int, prompt: str, **said: object) -> Image:
    """Add a drawing of a concept or a caption, and what people said of it."""
    image, _ = images.add(
        project=project, data=striped(number), source=f"{number}", generated=True, prompt=prompt
    )
    tile = tiles.whole(image)
    concept = project.concepts.filter(phrase=prompt).first()
    if concept:
        questions.ask_concepts(tiles=[tile], concepts=[concept])
    else:
        questions.ask_captions(captions=[(tile, prompt)], source=Question.Source.MODEL, prior=0.5)
    worth = {"answers_weight": said["answers_count"]} if "answers_count" in said else {}
    Question.objects.filter(tile=tile).update(**worth, **said)
    return image


@pytest.fixture
def judged(shapes: Project) -> Project:
    """A project of which people have judged two drawings of a circle."""
    drawn(shapes, 1, "a circle", prior=0.03, probability=0.22, answers_count=1)
    drawn(shapes, 2, "a circle", prior=0.03, probability=0.001, answers_count=3)
    return shapes


@pytest.fixture
def enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single pair is enough."""
    monkeypatch.setattr(preferences, "ENOUGH", 1)


def rows_of(snapshot: Snapshot, column: str = "shows_prompt") -> dict[str, float]:
    """Return how surely each drawing shows its prompt, by its source."""
    rows = [
        row
        for split in snapshot_folder.SPLITS
        for row in snapshot_folder.read_rows(stored_folders.fetch(snapshot.folder), split)
    ]
    assert all(row[column] == 0 for row in rows if not row["generated"])
    return {row["source"]: row[column] for row in rows if row["generated"]}


def test_a_snapshot_says_what_people_alone_made_of_a_drawing(judged: Project) -> None:
    """Neither how rare a thing is among real pictures nor a model's prediction counts."""
    drawn(judged, 3, "a circle")
    drawn(judged, 4, "two owls", verdict=False, probability=0.0)
    drawn(judged, 5, "two owls", verdict=True, probability=1.0)
    drawn(judged, 6, "one owl", probability=0.9, answers_count=2)
    frozen = rows_of(snapshots.freeze(project=judged, include_generated=True))
    assert frozen == pytest.approx(
        {"1": 0.9, "2": 0.031, "3": 0, "4": 0.0001, "5": 1, "6": 0.9}, abs=0.003
    )


def test_accounts_that_nobody_knows_teach_nothing_although_there_are_many(
    judged: Project,
) -> None:
    image = drawn(judged, 3, "a circle", prior=0.03, probability=0.03)
    question = Question.objects.get(tile__image=image)
    for _ in range(10):
        answer(Annotator.objects.create(), {question.pk: True})
    frozen = snapshots.freeze(project=judged, include_generated=True)
    assert rows_of(frozen)["3"] == 0
    Question.objects.filter(pk=question.pk).update(verdict=True)
    assert rows_of(snapshots.freeze(project=judged, include_generated=True))["3"] == 1


def test_what_the_clip_says_of_a_judged_drawing_stands_beside_it(judged: Project) -> None:
    drawn(judged, 3, "two owls", model_probability=0.7, answers_count=1)
    drawn(judged, 4, "two owls", model_probability=0.7)
    snapshot = snapshots.freeze(project=judged, include_generated=True)
    assert rows_of(snapshot, "fits_prompt") == {"1": 0, "2": 0, "3": 0.7, "4": 0}


def test_people_prefer_the_one_that_shows_its_prompt(judged: Project) -> None:
    pairs = judged_drawings.preferences(judged)
    assert (pairs.better.tolist(), pairs.worse.tolist(), pairs.count) == ([0], [1], 1)


@pytest.mark.usefixtures("enough")
def test_scheduled_training_takes_verdicts_in_by_itself(
    judged: Project, snapshot: Snapshot
) -> None:
    requested = [(each["recipe"], each["preset"]) for each in retraining.requests(judged)]
    assert requested == [("clip", "cpu"), ("diffusion", "cpu")], "there is no model to go on from"
    make_model(snapshot, recipe="diffusion")
    *_, last = retraining.requests(judged)
    assert (last["recipe"], last["preset"]) == ("diffusion", PREFERENCES)
    run = run_requests.create(**last, anyway=True)
    assert run.include_generated and run.start is None


def test_too_few_pairs_start_no_run_of_their_own(judged: Project, snapshot: Snapshot) -> None:
    make_model(snapshot, recipe="diffusion")
    assert len(list(retraining.requests(judged))) == 2


def test_the_outlook_says_what_preferences_lack_and_counts_no_prompt_as_a_caption(
    judged: Project,
) -> None:
    captions = readiness.of_project(judged).captions
    drawn(judged, 3, "two owls", verdict=True, probability=1.0, state="settled")
    assert readiness.of_project(judged).captions == captions
    expected = outlook.of(project=judged, recipes=["diffusion"], preset=PREFERENCES)
    assert "50 are needed" in expected.warning


def test_a_person_is_told_what_is_missing(judged: Project, snapshot: Snapshot) -> None:
    request = {"project": judged, "recipe": "diffusion", "preset": PREFERENCES, "trigger": "page"}
    with pytest.raises(runs.RunError, match="no current diffusion model to go on from"):
        run_requests.create(**request, anyway=True)
    make_model(snapshot, recipe="diffusion")
    with pytest.raises(runs.RunError, match=r"in 1 case; 50 are needed"):
        run_requests.create(**request)
    assert run_requests.create(**request, anyway=True).start is None
    clip = make_model(snapshot, recipe="clip")
    with pytest.raises(runs.RunError, match="name no CLIP"):
        run_requests.create(**request, anyway=True, clip=clip)


def test_a_run_goes_on_from_the_model_that_is_current_as_it_starts(bare_snapshot: Snapshot) -> None:
    asked = Run.objects.create(
        project=bare_snapshot.project,
        snapshot=bare_snapshot,
        recipe="diffusion",
        preset=PREFERENCES,
        trigger="schedule",
    )
    run = runs.acquire(run_id=asked.pk)
    assert run
    with pytest.raises(runs.RunError, match="no current diffusion model"):
        runner._prepare(run, bare_snapshot)
    model = make_model(bare_snapshot, recipe="diffusion")
    folder = runner._prepare(run, bare_snapshot)
    start = json.loads((folder / "config.json").read_text())["start"]
    assert start == str(stored_folders.fetch(model.folder))
    assert runs.config(run, snapshot=bare_snapshot)["start"] == model.folder
    Run.objects.filter(pk=model.run_id).update(state=Run.State.SUCCEEDED)
    model.run.refresh_from_db()
    with pytest.raises(runs.RunError, match="goes on from the model"):
        runs.delete(run=model.run, by=None)  # type: ignore[arg-type]


def test_a_verdict_outlives_the_model_whose_drawing_it_was_about(
    judged: Project, snapshot: Snapshot
) -> None:
    """The picture, its prompt and the answers are the project's."""
    make_model(snapshot, recipe="diffusion")
    before = rows_of(snapshots.freeze(project=judged, include_generated=True))
    Model.objects.all().delete()
    assert rows_of(snapshots.freeze(project=judged, include_generated=True)) == before
