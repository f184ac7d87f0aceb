"""What the current CLIP predicts of a project's tiles and captions, and the features it sees."""

import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q

from labeling import json_lines, picture_cache, snapshot_folder, snapshot_rows, snapshots
from labeling.batches import batched
from labeling.inference import intake, model_prior
from labeling.models import Project, Question, Snapshot, Tile
from labeling.snapshot_folder import SnapshotError
from training import processes, sources
from training.models import Model

TIME_LIMIT = 3600.0  # seconds
TILE_TIME = 0.1  # seconds that each tile adds to it
BATCH = 2000  # rows that are held at once
LEFT_AFTER = 7 * 24 * 3600.0  # seconds from which on nobody works in a folder any more


def update(model: Model) -> dict[str, Any]:
    """Store a CLIP's features of a project, and its predictions of all pairs and open captions.

    They move what is asked next. The features let probes be fitted again as answers come in:
    `model_prior.refresh`. Return how many predictions there are.
    """
    with tempfile.TemporaryDirectory(prefix="predictions-", dir=work_folder()) as name:
        folder = Path(name)
        concepts = model.project.concepts.filter(merged_into=None)
        phrases = dict(concepts.values_list("pk", "phrase"))
        subjects = chain(_tiles(model), concept_lines(phrases))
        tiles = json_lines.write(folder / "subjects.jsonl", subjects) - len(phrases)
        if not tiles:
            return {"predictions": 0}
        json_lines.write(folder / "questions.jsonl", _open_captions(model.project))
        _predict(model, folder, time_limit=TIME_LIMIT + TILE_TIME * tiles)
        records = json_lines.read(folder / "predictions.jsonl")
        by_question = {int(record["id"]): float(record["p"]) for record in records}
        count = intake.replace(
            project=model.project,
            file=folder / "features.safetensors",
            log_odds=folder / "log_odds.npy",
            phrases=phrases,
        )
        count += model_prior.store(by_question)
    return {"predictions": count}


def work_folder() -> Path:
    """Return the folder that child processes' files lie in; what killed workers left goes."""
    work = Path(settings.CACHE_ROOT) / "intake"
    work.mkdir(parents=True, exist_ok=True)
    for folder in work.iterdir():
        if folder.stat().st_mtime < time.time() - LEFT_AFTER:
            shutil.rmtree(folder, ignore_errors=True)
    return work


def concept_lines(phrases: dict[int, str]) -> Iterator[dict[str, Any]]:
    """Yield a line for each concept, by its id and phrase."""
    for concept, phrase in phrases.items():
        yield {"concept": concept, "text": phrase}


def _predict(model: Model, folder: Path, *, time_limit: float) -> None:
    """Have a child process read the questions and subjects, and write what it predicts."""
    arguments = ["predict", str(sources.fetch(model))]
    arguments += [str(folder / "questions.jsonl"), str(folder / "predictions.jsonl")]
    arguments += ["--cache", str(Path(settings.CACHE_ROOT) / "training")]
    arguments += ["--subjects", str(folder / "subjects.jsonl")]
    arguments += ["--features", str(folder / "features.safetensors")]
    arguments += ["--log-odds", str(folder / "log_odds.npy")]
    processes.call(arguments, log=folder / "log.txt", time_limit=time_limit)


def _open_captions(project: Project) -> Iterator[dict[str, Any]]:
    """Yield a line for each open question about a caption."""
    questions = (
        Question.objects.filter(
            project=project, state=Question.State.OPEN, kind=Question.Kind.CAPTION
        )
        .select_related("tile__image")
        .order_by("tile__image_id", "tile_id", "id")
    )
    files = LocalFiles()
    for question in questions.iterator(chunk_size=BATCH):
        yield {
            "id": question.pk,
            **files.place(question.tile),
            "text": question.text,
            "kind": question.kind,
        }


def _tiles(model: Model) -> Iterator[dict[str, Any]]:
    """Yield a line for each tile of the project.

    `learned` holds the ids of a tile's questions whose answers the model was trained on: what it
    predicts of them is no evidence of its own.
    """
    trained_on = _training_files(model.run.snapshot)
    tiles = Tile.objects.filter(image__project=model.project).select_related("image")
    files = LocalFiles()
    stream = tiles.order_by("image_id", "pk").iterator(chunk_size=BATCH)
    for batch in batched(stream, BATCH):
        answered = _answered_questions(batch)
        for tile in batch:
            trained = trained_on is None or snapshot_rows.file_name(tile.image) in trained_on
            learned = answered[tile.pk] if trained else []
            yield {"tile": tile.pk, **files.place(tile), "learned": learned}


class LocalFiles:
    """Files of tiles in the order of their images: each is fetched once, and stays for the task."""

    def __init__(self) -> None:
        self._image_id, self._path = 0, ""
        picture_cache.keep_images()

    def place(self, tile: Tile) -> dict[str, Any]:
        """Return the image's local path, and the tile's box in its pixels; None: all of it.

        Wholes have the keys of the snapshots' pictures, by which what was seen of them is kept.
        """
        if tile.image_id != self._image_id:
            path = picture_cache.fetch(str(tile.image.file.name))
            self._image_id, self._path = tile.image_id, str(path.resolve())
        box = None if tile.grid == 1 else [tile.left, tile.top, tile.width, tile.height]
        return {"image": self._path, "box": box}


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
