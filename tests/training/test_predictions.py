"""What a real, tiny CLIP predicts of a project, and of a concept that is added later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage

from labeling import features, pools, stored_folders
from labeling import predictions as stored_predictions
from labeling.models import Concept, Project, Question, Recomputation, Tile
from tests.labeling.field import disbelieved
from tests.training.predicting import clip, clip_folder, in_this_process, squares
from training import feedback, new_concepts, predictions, processes, tasks, tile_files
from training.models import Model

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["clip", "clip_folder", "in_this_process", "squares"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_this_process")]


@pytest.fixture
def predicted(clip: Model) -> Project:
    """The project, once the CLIP has predicted."""
    assert "error" not in feedback.give(clip)
    return Project.objects.get(pk=clip.project_id)


def log_odds_by_colour(project: Project, name: str) -> dict[str, np.ndarray]:
    """Return a concept's predictions by the colour of the squares."""
    concept = project.concepts.get(name=name)
    array = stored_predictions.load(concept, project)
    assert array is not None
    sources = Tile.objects.order_by("pk").values_list("image__source", flat=True)
    colours = np.array([source.split()[0] for source in sources])
    return {colour: array[colours == colour] for colour in ("red", "blue")}


def test_all_pairs_are_predicted_whether_they_are_stored_or_not(predicted: Project) -> None:
    for name, other in (("red", "blue"), ("blue", "red")):
        by_colour = log_odds_by_colour(predicted, name)
        assert by_colour[name].min() > by_colour[other].max()
        concept = predicted.concepts.get(name=name)
        assert disbelieved(concept) == [] and not concept.priors_stale
    asked = Question.objects.filter(kind="concept")
    assert asked.exists() and not asked.filter(model_probability=None).exists()
    caption = Question.objects.get(kind="caption")
    assert caption.model_probability and caption.prior_shift
    assert Recomputation.objects.get(project=predicted).requested


def test_how_much_was_predicted_is_told(clip: Model) -> None:
    assert predictions.update(clip) == {"predictions": 16 * 2 + 1}


def test_what_a_killed_worker_left_behind_goes(clip: Model) -> None:
    lost = tile_files.work_folder() / "predictions-of-the-dead"
    lost.mkdir(exist_ok=True)
    (lost / "log_odds.npy").write_bytes(b"much")
    assert lost in tile_files.work_folder().iterdir()
    os.utime(lost, (0, 0))
    assert lost not in tile_files.work_folder().iterdir()


def test_a_project_without_pictures_has_nothing_to_predict(clip: Model) -> None:
    Question.objects.all().delete()
    Tile.objects.all().delete()
    assert predictions.update(clip) == {"predictions": 0}


def test_a_concept_that_is_added_later_is_predicted_without_any_picture(
    predicted: Project,
) -> None:
    assert new_concepts.due() == []
    added = Concept.objects.create(
        project=predicted, name="red thing", phrase="a red", prevalence=0.5
    )
    pools.prepare(added)
    for name in default_storage.listdir("images")[1]:
        default_storage.delete(f"images/{name}")
    assert new_concepts.due() == [predicted]
    tasks.predict_new_concepts(predicted.pk)
    assert new_concepts.due() == []
    by_colour = log_odds_by_colour(predicted, "red thing")
    assert by_colour["red"].min() > by_colour["blue"].max()
    assert disbelieved(added) == []
    seen = features.load(predicted)
    assert seen is not None
    red = predicted.concepts.get(name="red")
    assert seen.texts[added.pk] == pytest.approx(seen.texts[red.pk]), "which a probe starts from"


def test_a_renamed_concept_is_predicted_again(predicted: Project) -> None:
    concept = predicted.concepts.get(name="red")
    before = str(concept.predictions.name)
    Concept.objects.filter(pk=concept.pk).update(name="blue one", phrase="a blue")
    assert new_concepts.due() == [predicted]
    assert new_concepts.predict(predicted) == 1
    by_colour = log_odds_by_colour(predicted, "blue one")
    assert by_colour["blue"].min() > by_colour["red"].max()
    assert not default_storage.exists(before)
    again = predicted.concepts.get(name="blue one")
    assert str(again.text_embedding.name) and again.priors_stale is False


def test_a_concept_that_is_renamed_while_it_is_predicted_is_predicted_once_more(
    predicted: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Concept.objects.create(project=predicted, name="green", phrase="a green")
    call = processes.call

    def call_and_rename(*arguments: object, **options: object) -> None:
        call(*arguments, **options)  # type: ignore[arg-type]
        Concept.objects.filter(pk=added.pk).update(phrase="a meadow")

    with monkeypatch.context() as patch:
        patch.setattr(processes, "call", call_and_rename)
        assert new_concepts.predict(predicted) == 0
    added.refresh_from_db()
    assert not added.predictions and new_concepts.due() == [predicted]
    assert new_concepts.predict(predicted) == 1


def test_features_of_another_model_are_left_alone_and_it_is_tried_again_later(
    predicted: Project, clip: Model, clip_folder: Path, tmp_path: Path
) -> None:
    Concept.objects.create(project=predicted, name="green", phrase="a green")
    other = tmp_path / "other"
    other.mkdir()
    for path in clip_folder.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    weights = other / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    stored_folders.put(other, clip.folder)
    with pytest.raises(processes.ChildError, match="another model's"):
        new_concepts.predict(predicted)
    assert new_concepts.due() == []
    cache.clear()
    assert new_concepts.due() == [predicted]


def test_until_the_current_clip_has_given_its_features_nothing_is_due(
    predicted: Project, clip: Model
) -> None:
    Concept.objects.create(project=predicted, name="green", phrase="a green")
    for given in (None, {"error": "The disk is full."}):
        Model.objects.filter(pk=clip.pk).update(feedback=given)
        assert new_concepts.due() == []


def test_predictions_that_are_no_good_leave_the_earlier_ones(
    predicted: Project, clip: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(predicted.concepts.order_by("pk").values())
    call = processes.call

    def call_and_damage(arguments: list[str], **options: object) -> None:
        call(arguments, **options)  # type: ignore[arg-type]
        np.save(arguments[-1], np.full((2, 16), np.inf, np.float16))

    monkeypatch.setattr(processes, "call", call_and_damage)
    assert "infinite" in feedback.give(clip)["error"]
    assert list(predicted.concepts.order_by("pk").values()) == before
    assert features.load(predicted) is not None
