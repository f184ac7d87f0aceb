"""What is predicted of a large project: the same however many workers look at its pictures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from labeling import features, folder_deletions, images
from labeling import predictions as stored_predictions
from labeling.models import LeaseLost, Project, Question, Tile
from labeling.stored_folders import StorageAway
from tests.training.engine.runs import square
from tests.training.predicting import clip, clip_folder, in_this_process, squares
from tests.training.studio import make_model
from training import (
    delays,
    feedback,
    prediction_shares,
    processes,
    run_requests,
    tasks,
    tile_files,
    verdicts,
)
from training.engine.encoders import efficientnet
from training.engine.evaluation import predictions as encoding
from training.models import Model, PredictionShare, Run
from training.prediction_shares import Prediction

PICTURES, BATCH = prediction_shares.PICTURES, encoding.BATCH

__all__ = ["clip", "clip_folder", "in_this_process", "squares"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_this_process")]


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three shares of the squares."""
    monkeypatch.setattr(prediction_shares, "SIZE", 6)
    monkeypatch.setattr(prediction_shares, "PICTURES", 2)
    monkeypatch.setattr(encoding, "BATCH", 2)
    monkeypatch.setattr(prediction_shares, "LOOK_AFTER", 0.0)


def test_cuts_lie_between_what_an_encoder_sees_at_once() -> None:
    assert PICTURES == BATCH == efficientnet.IMAGE_BATCH


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, in_this_process: None) -> list[str]:
    """Return the commands of the child processes, as they are called."""
    commands: list[str] = []
    call = processes.call

    def noted(arguments: list[str], **options: Any) -> None:
        commands.append(arguments[0])
        call(arguments, **options)

    monkeypatch.setattr(processes, "call", noted)
    return commands


@pytest.fixture
def of_one(clip: Model, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What one worker makes of the squares, which are fewer than a share."""
    with monkeypatch.context() as patch:
        patch.setattr(prediction_shares, "SIZE", 16)
        assert "error" not in feedback.give(clip)
    return result(clip)


def result(model: Model) -> dict[str, Any]:
    """Return all that was stored of a prediction, and have the model predict again."""
    project = Project.objects.get(pk=model.project_id)
    seen = features.load(project)
    assert seen is not None and not PredictionShare.objects.exists()
    concepts = project.concepts.order_by("pk")
    caption = Question.objects.get(kind="caption")
    model.refresh_from_db()
    found = {
        "feedback": model.feedback,
        "tiles": seen.tiles.tolist(),
        "images": np.array(seen.images).tolist(),
        "log-odds": [np.array(stored_predictions.load(c, project)).tolist() for c in concepts],
        "caption": caption.model_probability,
    }
    Model.objects.filter(pk=model.pk).update(feedback=None)
    return found


def take_part(model: Model) -> None:
    """Look at a share as another machine would."""
    tasks.look_at_share(model.project_id, model.pk)


def expire() -> None:
    leased = PredictionShare.objects.exclude(lease_until=None)
    leased.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_project_below_one_share_is_predicted_in_one_process(
    clip: Model, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_shares, "SIZE", 16)
    feedback.give(clip, pytest.fail)
    assert called == ["predict"]
    assert not PredictionShare.objects.exists()


def test_three_shares_make_the_same_of_it_as_one(
    of_one: dict[str, Any], clip: Model, called: list[str]
) -> None:
    feedback.give(clip)
    assert called == ["see"] * 3 + ["predict"]
    assert result(clip) == of_one


def test_others_take_part_and_the_leader_fetches_no_picture_that_they_saw(
    of_one: dict[str, Any], clip: Model, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    plain = tile_files.LocalFiles.place

    def place(self: tile_files.LocalFiles, tile: Tile) -> dict[str, Any]:
        placed = plain(self, tile)
        assert placed["image"] == tile.image.file.name
        return placed

    def join(free: int) -> None:
        counted.append(free)
        for _ in range(4):
            take_part(clip)
        assert not Prediction(clip.project, clip).undone.exists()
        monkeypatch.setattr(tile_files.LocalFiles, "place", place)

    given = feedback.give(clip, join)
    assert counted == [2] and "error" not in given
    monkeypatch.undo()
    assert result(clip) == of_one


def test_a_share_whose_worker_died_is_looked_at_by_another(
    of_one: dict[str, Any], clip: Model
) -> None:
    died: list[PredictionShare] = []

    def die(free: int) -> None:
        row = Prediction(clip.project, clip).undone.acquire_first()
        assert row is not None
        died.append(row)
        expire()

    feedback.give(clip, die)
    assert result(clip) == of_one
    with pytest.raises(LeaseLost):
        died[0].renew()


def test_two_workers_at_the_same_share_do_each_other_no_harm(
    of_one: dict[str, Any], clip: Model, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = processes.call

    def call_slowly(arguments: list[str], **options: Any) -> None:
        monkeypatch.setattr(processes, "call", call)
        expire()
        take_part(clip)  # in the same share
        call(arguments, **options)

    monkeypatch.setattr(processes, "call", call_slowly)
    feedback.give(clip)
    assert called == ["see"] * 4 + ["predict"]
    assert result(clip) == of_one


def test_whoever_leads_next_goes_on_with_what_is_done(
    of_one: dict[str, Any], clip: Model, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(free: int) -> None:
        take_part(clip)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feedback.give(clip, stop)
    told = "not yet: 4 of 16 tiles have been looked at"
    assert verdicts.feedback(Model.objects.get(pk=clip.pk)) == told
    called.clear()
    feedback.give(clip)
    assert called == ["see"] * 2 + ["predict"]
    assert result(clip) == of_one


@pytest.mark.parametrize("command", ["see", "predict"])
def test_a_model_that_is_overtaken_stores_nothing(
    of_one: dict[str, Any], clip: Model, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert clip.run.snapshot
    newer = make_model(clip.run.snapshot, recipe="clip", current=False)
    call = processes.call
    before = stored(clip.project)

    def call_and_promote(arguments: list[str], **options: Any) -> None:
        call(arguments, **options)
        if arguments[0] == command:
            Model.objects.filter(pk=clip.pk).update(current=False)
            Model.objects.filter(pk=newer.pk).update(current=True)

    monkeypatch.setattr(processes, "call", call_and_promote)
    assert feedback.give(clip) == {}
    clip.refresh_from_db()
    assert clip.feedback is None and not feedback.is_due(clip)
    assert not PredictionShare.objects.exists()
    assert stored(clip.project) == before
    folder_deletions.delete_folders()
    kept = default_storage.listdir(prediction_shares.FOLDER)[0]
    assert not any(name.startswith(f"{clip.project_id}-") for name in kept)


def stored(project: Project) -> list[Any]:
    """Return what a project's predictions are named."""
    project.refresh_from_db()
    names = project.concepts.order_by("pk").values_list("predictions", "embedded_phrase")
    return [project.features.name, *names]


def test_a_newer_model_takes_the_shares_of_an_older_one_from_whoever_is_at_them(
    clip: Model, monkeypatch: pytest.MonkeyPatch, clip_folder: Any
) -> None:
    assert clip.run.snapshot
    older = make_model(clip.run.snapshot, recipe="clip", current=False)
    Run.objects.update(state=Run.State.SUCCEEDED)
    prediction_shares._count_off(Prediction(older.project, older), 0)
    call = processes.call

    def call_slowly(arguments: list[str], **options: Any) -> None:
        monkeypatch.setattr(processes, "call", call)
        assert "error" not in feedback.give(clip)
        options["watch"]()

    monkeypatch.setattr(processes, "call", call_slowly)
    take_part(older)
    assert not PredictionShare.objects.exists()


def test_shares_that_nobody_needs_go_with_the_sweep(clip: Model) -> None:
    prediction = Prediction(clip.project, clip)
    prediction_shares._count_off(prediction, 0)
    prediction_shares.forget_unneeded()
    assert prediction.shares.count() == 3
    (waiting,) = prediction_shares.unfinished()
    assert waiting == (prediction, 3)
    Model.objects.filter(pk=clip.pk).update(feedback={"predictions": 33})
    prediction_shares.forget_unneeded()
    assert not PredictionShare.objects.exists()


def test_pictures_that_come_in_meanwhile_are_looked_at_by_the_leader(
    clip: Model, called: list[str]
) -> None:
    def add(free: int) -> None:
        images.add(project=clip.project, data=square("red", left=9, top=9), source="late.png")
        Tile.objects.order_by("pk").first().delete()  # type: ignore[union-attr]

    feedback.give(clip, add)
    assert called == ["see"] * 3 + ["predict"]
    assert len(result(clip)["tiles"]) == 16


def test_many_that_come_in_meanwhile_are_shared_out_too(clip: Model, called: list[str]) -> None:
    def add(free: int) -> None:
        for number in range(7 if len(called) == 0 else 0):
            data = square("red", left=number, top=9)
            images.add(project=clip.project, data=data, source=f"late {number}.png")

    feedback.give(clip, add)
    assert called == ["see"] * 5 + ["predict"]
    assert len(result(clip)["tiles"]) == 16 + 7


def test_a_storage_that_is_away_is_no_verdict(
    of_one: dict[str, Any], clip: Model, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put, before = prediction_shares.stored_folders.put, called.copy()

    def away(*_arguments: object, **_options: object) -> None:
        if len(called) - len(before) > 1:
            raise StorageAway("It is away.")
        put(*_arguments, **_options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(prediction_shares.stored_folders, "put", away)
        with pytest.raises(delays.DelayedError, match="away"):
            feedback.give(clip)
    assert feedback.is_due(clip) is (clip.reviewed_at is not None)
    clip.refresh_from_db()
    assert clip.feedback is None and PredictionShare.objects.filter(done=True).count() == 1
    called.clear()
    feedback.give(clip)
    assert called == ["see"] * 2 + ["predict"]
    assert result(clip) == of_one


def test_a_worker_that_cannot_look_leaves_its_share_to_others(
    of_one: dict[str, Any],
    clip: Model,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(free: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(processes, "call", broken)
            take_part(clip)
        assert not PredictionShare.objects.exclude(lease_until=None).exists()

    feedback.give(clip, fail)
    assert "failed here: No torch." in caplog.text
    assert result(clip) == of_one


def broken(*_arguments: object, **_options: object) -> None:
    raise processes.ChildError("No torch.")


def test_what_the_leader_cannot_look_at_is_told(
    clip: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "call", broken)
    assert feedback.give(clip) == {"error": "No torch."}


def test_a_run_that_waits_goes_first(clip: Model, called: list[str]) -> None:
    prediction_shares._count_off(Prediction(clip.project, clip), 0)
    assert clip.run.snapshot
    run_requests.create(
        snapshot=clip.run.snapshot, recipe="clip", preset="smoke", trigger="api", anyway=True
    )
    take_part(clip)
    assert called == []


def test_one_message_follows_another_as_long_as_there_are_shares(
    clip: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []

    def send(task: Any, *arguments: Any, **options: Any) -> None:
        if task is tasks.look_at_share:
            sent.append(arguments)

    monkeypatch.setattr(tasks, "enqueue_on_commit", send)
    monkeypatch.setattr(tasks, "WOKEN", 2)
    prediction_shares._count_off(Prediction(clip.project, clip), 0)
    tasks.sweep()
    assert sent == [(clip.project_id, clip.pk)] * 2
    taken = 0
    while sent:
        tasks.look_at_share(*sent.pop())
        taken += 1
    assert taken == 4, "two at first, and one as each but the last two ended"
