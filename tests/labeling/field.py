"""What a CLIP sees in the project `field`, of which every second picture shows a duck."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from labeling import beliefs
from labeling.beliefs import Beliefs
from labeling.inference import intake
from labeling.models import Concept, Image, Project, Question, Tile
from tests.labeling.unseen import image_row

WIDTH = 12


def pictures(project: Project, count: int, **fields: object) -> list[Tile]:
    """Store so many pictures that nobody looks at, and return their tiles."""
    first = Image.objects.count()
    images = Image.objects.bulk_create(
        image_row(project, number, **fields) for number in range(first, first + count)
    )
    return Tile.objects.bulk_create(Tile(image=image, width=32, height=32) for image in images)


def is_duck(question: Question) -> bool:
    return int(question.tile.image.source) % 2 == 0


def see(
    project: Project,
    path: Path,
    *,
    tells: float = 3.0,
    log_odds: Mapping[str, np.ndarray] | None = None,
    **changes: np.ndarray,
) -> None:
    """Take in features of all tiles, the first of which separates ducks by `tells` deviations.

    log_odds: by the concepts' names, those of all tiles; without, nothing is predicted.
    """
    dice = np.random.default_rng(0)
    tiles = list(Tile.objects.filter(image__project=project).order_by("pk").select_related("image"))
    rows = dice.standard_normal((len(tiles), WIDTH))
    rows[:, 0] += tells * np.array([1 - 2 * (int(tile.image.source) % 2) for tile in tiles])
    concepts = list(project.concepts.order_by("pk"))
    if log_odds is not None:
        concepts = [concept for concept in concepts if concept.name in log_odds]
    parts = {
        "tiles": np.array([tile.pk for tile in tiles], np.int64),
        "images": rows.astype(np.float16),
        "concepts": np.array([concept.pk for concept in concepts], np.int64),
        "texts": dice.standard_normal((len(concepts), WIDTH)).astype(np.float16),
        "learned": np.zeros(0, np.int64),
    }
    save_file(parts | changes, path)
    array = None
    if log_odds is not None:
        array = path.with_suffix(".npy")
        rows = np.array([log_odds[concept.name] for concept in concepts], np.float16)
        np.save(array, rows.reshape(len(concepts), len(tiles)))
    intake.replace(
        project=project,
        file=path,
        log_odds=array,
        phrases={concept.pk: concept.phrase for concept in concepts},
    )
    project.refresh_from_db()


def disbelieved(concept: Concept) -> list[int]:
    """Return the questions whose prior is not what would be believed if they were not stored.

    Without an answer, the posterior counts too.
    """
    concept = Concept.objects.select_related("project").get(pk=concept.pk)
    stored = Question.objects.filter(concept=concept).order_by("tile_id")
    priors = Beliefs(concept.project, [concept]).priors(
        beliefs.facts(stored.values_list("tile_id", flat=True))
    )
    columns = priors.probability[:, 0], priors.predicted[:, 0], priors.shift[:, 0]
    wrong = []
    for question, prior, predicted, shift in zip(stored, *columns, strict=True):
        right = np.isclose([question.prior, question.prior_shift], [prior, shift], atol=1e-9)
        stored_prediction = (
            np.nan if question.model_probability is None else (question.model_probability)
        )
        same = np.isclose(stored_prediction, predicted, atol=1e-9, equal_nan=True)
        untouched = question.answers_count or question.verdict is not None
        if not (right.all() and same and (untouched or question.probability == question.prior)):
            wrong.append(question.pk)
    return wrong
