"""What the current CLIP predicts of a project's tiles and captions, and the features it sees."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q

from labeling import json_lines, snapshot_folder, snapshot_rows, snapshots
from labeling.batches import batched
from labeling.inference import intake, model_prior
from labeling.models import Project, Question, Snapshot, Tile
from labeling.snapshot_folder import SnapshotError
from training import prediction_shares, processes, sources, tile_files
from training.models import Model
from training.prediction_shares import OnShared, Overtaken, Prediction
from training.tile_files import LocalFiles, Seen

TIME_LIMIT = 3600.0  # seconds
TILE_TIME = 0.1  # seconds that each tile adds to it


def update(model: Model, on_shared: OnShared = lambda free: None) -> dict[str, Any]:
    """Store a CLIP's features of a project, and its predictions of all pairs and open captions.

    They move what is asked next. The features let probes be fitted again as answers come in:
    `model_prior.refresh`. Other workers take part in looking at many tiles: on_shared wakes them.
    Return how many predictions there are. Raises Overtaken where the model is not the current one
    any more: then nothing is stored.
    """
    prediction = Prediction(model.project, model)
    check = partial(_check_current, model)
    try:
        seen = prediction_shares.look(prediction, check=check, on_shared=on_shared)
        count = _update(model, seen)
    except Overtaken:
        prediction_shares.forget(prediction)
        raise
    prediction_shares.forget(prediction)
    return {"predictions": count}


def _update(model: Model, seen: Seen) -> int:
    with tempfile.TemporaryDirectory(prefix="predictions-", dir=tile_files.work_folder()) as name:
        folder = Path(name)
        concepts = model.project.concepts.filter(merged_into=None)
        phrases = dict(concepts.values_list("pk", "phrase"))
        subjects = chain(_tiles(model, seen), tile_files.concept_lines(phrases))
        tiles = json_lines.write(folder / "subjects.jsonl", subjects) - len(phrases)
        if not tiles:
            return 0
        json_lines.write(folder / "questions.jsonl", _open_captions(model.project, seen))
        _predict(model, folder, seen, time_limit=TIME_LIMIT + TILE_TIME * tiles)
        records = json_lines.read(folder / "predictions.jsonl")
        by_question = {int(record["id"]): float(record["p"]) for record in records}
        count = intake.replace(
            project=model.project,
            file=folder / "features.safetensors",
            log_odds=folder / "log_odds.npy",
            phrases=phrases,
            stands=partial(_lock_current, model),
        )
    _check_current(model)
    return count + model_prior.store(by_question)


def _check_current(model: Model) -> None:
    """Raise Overtaken unless a model is the current one."""
    if not Model.objects.filter(pk=model.pk, current=True).exists():
        raise Overtaken(f"{model} is not the current one any more.")


def _lock_current(model: Model) -> bool:
    """Return whether a model is the current one, and keep it so until the transaction ends."""
    row = Model.objects.filter(pk=model.pk, current=True).select_for_update(no_key=True)
    return row.values_list("pk").first() is not None


def _predict(model: Model, folder: Path, seen: Seen, *, time_limit: float) -> None:
    """Have a child process read the questions and subjects, and write what it predicts."""
    arguments = ["predict", str(sources.fetch(model))]
    arguments += [str(folder / "questions.jsonl"), str(folder / "predictions.jsonl")]
    arguments += ["--cache", str(Path(settings.CACHE_ROOT) / "training")]
    arguments += ["--subjects", str(folder / "subjects.jsonl")]
    arguments += ["--features", str(folder / "features.safetensors")]
    arguments += ["--log-odds", str(folder / "log_odds.npy")]
    arguments += seen.option(folder)
    check = partial(_check_current, model)
    processes.call(arguments, log=folder / "log.txt", time_limit=time_limit, watch=check)


def _open_captions(project: Project, seen: Seen) -> Iterator[dict[str, Any]]:
    """Yield a line for each open question about a caption."""
    questions = (
        Question.objects.filter(
            project=project, state=Question.State.OPEN, kind=Question.Kind.CAPTION
        )
        .select_related("tile__image")
        .order_by("tile__image_id", "tile_id", "id")
    )
    files = LocalFiles(seen)
    for question in questions.iterator(chunk_size=tile_files.BATCH):
        yield {
            "id": question.pk,
            **files.place(question.tile),
            "text": question.text,
            "kind": question.kind,
        }


def _tiles(model: Model, seen: Seen) -> Iterator[dict[str, Any]]:
    """Yield a line for each tile of the project.

    `learned` holds the ids of a tile's questions whose answers the model was trained on: what it
    predicts of them is no evidence of its own.
    """
    trained_on = _training_files(model.run.snapshot)
    tiles = Tile.objects.filter(image__project=model.project).select_related("image")
    files = LocalFiles(seen)
    stream = tiles.order_by("image_id", "pk").iterator(chunk_size=tile_files.BATCH)
    for batch in batched(stream, tile_files.BATCH):
        answered = _answered_questions(batch)
        for tile in batch:
            trained = trained_on is None or snapshot_rows.file_name(tile.image) in trained_on
            learned = answered[tile.pk] if trained else []
            yield {"tile": tile.pk, **files.place(tile), "learned": learned}


def _training_files(snapshot: Snapshot | None) -> set[str] | None:
    """Return the names of the snapshot's training images; None where its folder has gone."""
    if snapshot is None:
        return None
    try:
        folder = snapshots.local_folder(snapshot, only=[f"train/{snapshot_folder.METADATA}"])
    except SnapshotError:
        return None
    return {row["file_name"] for row in snapshot_folder.read_rows(folder, "train")}


def _answered_questions(tiles: Sequence[Tile]) -> dict[int, list[int]]:
    """Return by tile the ids of the concept questions with an answer or a verdict."""
    answered = Question.objects.filter(
        Q(answers_count__gt=0) | Q(verdict__isnull=False),
        tile__in=tiles,
        kind=Question.Kind.CONCEPT,
    )
    by_tile: dict[int, list[int]] = defaultdict(list)
    for tile, question in answered.values_list("tile_id", "pk"):
        by_tile[tile].append(question)
    return by_tile
