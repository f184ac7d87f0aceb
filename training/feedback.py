"""What a model gives back to the loop: opinions of open questions, pictures to be judged."""

import json
import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import Count, Q, QuerySet

from labeling import snapshots
from labeling.batches import batched
from labeling.inference import features, model_prior
from labeling.models import Concept, Image, Project, Question, Recomputation, Snapshot, Tile
from training import generations, processes, runs
from training.models import Model

CONCEPTS = 8
CAPTIONS = 4
PICTURES = 4  # of each
SECONDS = 3600.0

logger = logging.getLogger(__name__)


def due() -> QuerySet[Model]:
    """Models that have been judged and gave nothing back yet.

    Opinions come from the current model alone; every candidate's pictures are asked about, since
    what people say of them is one of its judges.
    """
    judged = Model.objects.filter(feedback__isnull=True, reviewed_at__isnull=False)
    return judged.filter(Q(current=True) | ~Q(recipe="clip"))


def is_due(model: Model) -> bool:
    return due().filter(pk=model.pk).exists()


def give(model: Model) -> dict[str, Any]:
    """Do what is due after a run, and remember on the model what came of it."""
    try:
        given = pictures(model) if runs.draws(model.recipe) else opinions(model)
    except Exception as error:  # the model is good all the same, and the next one tries again
        logger.exception("%s gave nothing back.", model)
        given = {"error": str(error) or type(error).__name__}
    model.feedback = given
    model.save(update_fields=["feedback"])
    return given


def opinions(model: Model) -> dict[str, Any]:
    """What the model sees in all tiles, and its opinion of open questions, move what is asked next.

    The features let probes be fitted whenever people have said more: `model_prior.refresh`.
    """
    with tempfile.TemporaryDirectory(prefix="opinions-", dir=_work()) as name:
        asked, answered = Path(name) / "questions.jsonl", Path(name) / "opinions.jsonl"
        subjects, seen = Path(name) / "subjects.jsonl", Path(name) / "features.safetensors"
        if not _write_lines(subjects, _subjects(model)):
            return {"opinions": 0}
        _write_lines(asked, _open(model.project))
        wanted = ["--subjects", str(subjects), "--features", str(seen)]
        processes.call(
            ["opinions", model.folder, str(asked), str(answered), *wanted],
            log=Path(model.run.folder) / "opinions.txt",
            seconds=SECONDS,
        )
        with answered.open(encoding="utf-8") as file:
            said = {int(line["id"]): float(line["p"]) for line in map(json.loads, file)}
        given = {"opinions": model_prior.store(said)}
        features.replace(project=model.project, path=seen)
    Recomputation.objects.update_or_create(project=model.project, defaults={"requested": True})
    return given


def pictures(model: Model) -> dict[str, Any]:
    """Pictures of what the project knows best, and of a few captions, become questions."""
    prompts = [concept.phrase for concept in best_known(model.project)]
    prompts += _captions(model.project)
    if not prompts:
        return {"pictures": 0}
    with tempfile.TemporaryDirectory(prefix="pictures-", dir=_work()) as name:
        drawn = generations.sample(
            folder=model.folder,
            prompts=prompts,
            out=Path(name),
            count=PICTURES,
            seed=model.pk * PICTURES,
            log=Path(model.run.folder) / "pictures.txt",
        )
        images = {  # a model that draws the same twice is asked about once
            generations.keep(model=model, data=picture.path.read_bytes(), prompt=picture.prompt)
            for picture in drawn
        }
    asked = sum(generations.ask(image=image) for image in images)
    return {"pictures": len(images), "questions": asked}


def best_known(project: Project) -> Sequence[Concept]:
    """The concepts with most tiles believed to show them."""
    return list(
        Concept.objects.filter(
            project=project, active=True, questions__probability__gte=project.settle_at
        )
        .annotate(known=Count("questions"))
        .order_by("-known", "name")[:CONCEPTS]
    )


def _captions(project: Project) -> list[str]:
    captions = Question.objects.filter(
        project=project, kind=Question.Kind.CAPTION, probability__gte=0.5, tile__grid=1
    ).order_by("random_key")
    return list(captions.values_list("text", flat=True)[:CAPTIONS])


def _open(project: Project) -> Iterator[dict[str, Any]]:
    """Every open question as a line for the model."""
    asked = (
        Question.objects.filter(project=project, state=Question.State.OPEN)
        .select_related("tile__image", "concept")
        .order_by("tile__image_id", "tile_id", "id")
    )
    place = _Place()
    for question in asked.iterator(chunk_size=2000):
        yield {
            "id": question.pk,
            **place.of(question.tile),
            "text": question.wording,
            "kind": question.kind,
        }


def _subjects(model: Model) -> Iterator[dict[str, Any]]:
    """Every tile as a line, then every concept.

    `learned` are the tile's questions that people had spoken of, where the model was trained on
    its picture: what it says of them is no word of its own.
    """
    trained = _trained(model.run.snapshot)
    tiles = Tile.objects.filter(image__project=model.project).select_related("image")
    place = _Place()
    stream = tiles.order_by("image_id", "pk").iterator(chunk_size=2000)
    for batch in batched(stream, 2000):
        spoken = _spoken(batch)
        for tile in batch:
            learned = trained is None or snapshots.file_name(tile.image) in trained
            yield {"tile": tile.pk, **place.of(tile), "learned": spoken[tile.pk] if learned else []}
    for concept in model.project.concepts.all():
        yield {"concept": concept.pk, "text": concept.phrase}


class _Place:
    """Where tiles are; a picture's file is named once it is local."""

    def __init__(self) -> None:
        self.last, self.path = 0, ""

    def of(self, tile: Tile) -> dict[str, Any]:
        if tile.image_id != self.last:
            self.last, self.path = tile.image_id, local_path(tile.image)
        return {"image": self.path, "box": [tile.left, tile.top, tile.width, tile.height]}


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> int:
    with path.open("w", encoding="utf-8") as file:
        return sum(bool(file.write(json.dumps(line) + "\n")) for line in lines)


def _trained(snapshot: Snapshot | None) -> set[str] | None:
    """Names of the pictures that were learned from; None where nobody can say."""
    folder = Path(snapshot.folder) if snapshot else None
    if folder is None or not (folder / "manifest.json").is_file():
        return None
    return {row["file_name"] for row in snapshots.read_rows(folder, "train")}


def _spoken(tiles: Sequence[Tile]) -> dict[int, list[int]]:
    """By tile, the questions of concepts about which somebody has spoken."""
    known = Q(answers_count__gt=0) | Q(verdict__isnull=False)
    heard = Question.objects.filter(known, tile__in=tiles, kind=Question.Kind.CONCEPT)
    by_tile: dict[int, list[int]] = defaultdict(list)
    for tile, question in heard.values_list("tile_id", "pk"):
        by_tile[tile].append(question)
    return by_tile


def local_path(image: Image) -> str:
    """Where the image's file lies on this machine, fetched if the storage is elsewhere."""
    name = str(image.file.name)
    try:
        return str(Path(default_storage.path(name)).resolve())
    except NotImplementedError:
        path = Path(settings.CACHE_ROOT) / "images" / Path(name).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with default_storage.open(name) as file:
            draft = path.with_suffix(".part")
            draft.write_bytes(file.read())
        draft.rename(path)
    return str(path)


def _work() -> Path:
    folder = Path(settings.CACHE_ROOT) / "training"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
