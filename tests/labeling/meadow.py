"""Pictures without files, and predictions of them, for tests that ask what is asked about."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from safetensors.numpy import save

from labeling import predictions
from labeling.images import tiles
from labeling.models import Concept, Image, NewPictures, Project, Question, Tile
from tests.labeling.unseen import image_row

_numbers = itertools.count()


def add_pictures(
    project: Project, count: int, *, random_keys: Sequence[float] = (), **fields: object
) -> list[Tile]:
    """Store so many pictures as an import would, without files; return their whole tiles."""
    images = [image_row(project, next(_numbers), **fields) for _ in range(count)]
    for image, key in zip(images, random_keys, strict=False):
        image.random_key = key
    Image.objects.bulk_create(images)
    keys = [image.random_key for image in images if not image.generated]
    NewPictures.objects.create(project=project, grid=1, random_keys=keys)
    return Tile.objects.bulk_create(Tile(image=image, width=32, height=32) for image in images)


def add_cut_pictures(project: Project, count: int) -> list[Image]:
    """Store so many pictures that are cut into 4 × 4 tiles."""
    images = [tile.image for tile in add_pictures(project, count)]
    for image in images:
        tiles.cut(image)
    return images


def predict(concept: Concept, probabilities: Mapping[int, float]) -> None:
    """Store the predictions of tiles, by their ids, as a model's that is believed in full."""
    project = concept.project
    ids = np.array(sorted(probabilities), np.int64)
    name = f"features/{project.pk}-{next(_numbers)}.safetensors"
    project.features.name = default_storage.save(name, ContentFile(save({"tiles": ids})))
    project.save()
    values = np.array([probabilities[pk] for pk in ids.tolist()])
    log_odds = np.log(values) - np.log1p(-values)
    concept.predictions.name = predictions.save(
        log_odds, concept=concept, features=project.features.name
    )
    concept.model_weight = 1.0
    concept.save()


def answered(question: Question) -> None:
    """Count an answer to a question, as far as pools look at it."""
    Question.objects.filter(pk=question.pk).update(answers_count=1)
