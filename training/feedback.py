"""What a model gives back to the loop: opinions of open questions, pictures to be judged."""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import Count

from labeling import questions
from labeling.models import Concept, Image, Project, Question
from training import children, drawing
from training.models import Model

CONCEPTS = 8
CAPTIONS = 4
PICTURES = 4  # of each
SECONDS = 3600.0
GUIDANCE = 2.0

logger = logging.getLogger(__name__)


def give(model: Model) -> dict[str, Any]:
    """Do what is due after a run, and remember on the model what came of it."""
    try:
        given = {"clip": opinions, "diffusion": pictures}[model.recipe](model)
    except Exception as error:  # the model is good all the same, and the next one tries again
        logger.exception("%s gave nothing back.", model)
        given = {"error": str(error) or type(error).__name__}
    model.feedback = given
    model.save(update_fields=["feedback"])
    return given


def opinions(model: Model) -> dict[str, Any]:
    """The model's opinion of every open question moves what is asked next."""
    with tempfile.TemporaryDirectory(prefix="opinions-", dir=_work()) as name:
        asked, answered = Path(name) / "questions.jsonl", Path(name) / "opinions.jsonl"
        with asked.open("w", encoding="utf-8") as file:
            count = sum(bool(file.write(json.dumps(line) + "\n")) for line in _open(model.project))
        if not count:
            return {"opinions": 0}
        children.call(
            ["opinions", model.folder, str(asked), str(answered)],
            log=Path(model.run.folder) / "opinions.txt",
            seconds=SECONDS,
        )
        with answered.open(encoding="utf-8") as file:
            said = {int(line["id"]): float(line["p"]) for line in map(json.loads, file)}
    return {"opinions": questions.store_opinions(said)}


def pictures(model: Model) -> dict[str, Any]:
    """Pictures of what the project knows best, and of a few captions, become questions."""
    prompts = [concept.phrase for concept in best_known(model.project)]
    prompts += _captions(model.project)
    if not prompts:
        return {"pictures": 0}
    with tempfile.TemporaryDirectory(prefix="pictures-", dir=_work()) as name:
        drawn = drawing.sample(
            folder=model.folder,
            prompts=prompts,
            out=Path(name),
            count=PICTURES,
            seed=model.pk * PICTURES,
            guidance=GUIDANCE,
            log=Path(model.run.folder) / "pictures.txt",
        )
        images = {  # a model that draws the same twice is asked about once
            drawing.keep(model=model, data=picture.path.read_bytes(), prompt=picture.prompt)
            for picture in drawn
        }
    asked = sum(drawing.ask(image=image) for image in images)
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
    """Every open question as a line for the model; a picture's file is named once it is local."""
    asked = (
        Question.objects.filter(project=project, state=Question.State.OPEN)
        .select_related("tile__image", "concept")
        .order_by("tile__image_id", "tile_id", "id")
    )
    last, path = None, ""
    for question in asked.iterator(chunk_size=2000):
        tile = question.tile
        if tile.image_id != last:
            last, path = tile.image_id, local_path(tile.image)
        yield {
            "id": question.pk,
            "image": path,
            "box": [tile.left, tile.top, tile.width, tile.height],
            "text": question.wording,
            "kind": question.kind,
        }


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
