"""Pictures from which an owner picks examples: likely yes, likely no, and hard ones."""

import random
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from django.db.models import Q, QuerySet

from labeling import image_beliefs, predictions
from labeling.images import visible
from labeling.models import Concept, Image, Question, Tile

POOL = 48  # pictures of each kind that are looked at
DOUBT = 0.3  # distance of a probability from one half, within which a picture counts as hard
_WHOLE = Q(grid=1) & ~Q(source=Question.Source.MODEL)


class Wall(StrEnum):
    """Which pictures are shown."""

    YES = "yes"
    NO = "no"
    HARD = "hard"


class Candidate(NamedTuple):
    """A whole picture, and the probability that it shows the concept."""

    tile: int
    probability: float
    disputed: bool  # people disagree about it


def candidates(concept: Concept, wall: Wall, count: int) -> list[Candidate]:
    """Return up to so many pictures that are no examples yet, the most telling first.

    They are ranked by what is believed of each (`image_beliefs`): of stored questions and of the
    model's predictions those at the ends and in the middle, and pictures drawn at random.
    """
    images = list(_images(concept))
    if not images:
        return []
    beliefs = image_beliefs.Reader(concept.project, [concept]).of(images)
    tiles = dict(
        Tile.objects.filter(image__in=images, grid=1).order_by().values_list("image_id", "pk")
    )
    disputed = _disputed(concept, tiles.values())
    ranked = [
        Candidate(tiles[image.pk], float(p), tiles[image.pk] in disputed)
        for image, p in zip(images, beliefs.probability[:, 0], strict=True)
        if image.pk in tiles
    ]
    return _ranked(ranked, wall)[:count]


def _ranked(pictures: list[Candidate], wall: Wall) -> list[Candidate]:
    """Return the pictures that fit a wall, the most telling first.

    Where little is known yet, the likeliest are not likely: they are shown all the same.
    """
    if wall == Wall.HARD:
        hard = [each for each in pictures if each.disputed or abs(each.probability - 0.5) < DOUBT]
        return sorted(hard, key=lambda each: (not each.disputed, abs(each.probability - 0.5)))
    return sorted(pictures, key=lambda each: each.probability, reverse=wall == Wall.YES)


def _images(concept: Concept) -> Iterable[Image]:
    """Return pictures worth looking at, without those that are examples."""
    tiles = {*_stored(concept), *_predicted(concept), *_stated(concept), *_at_random(concept)}
    tiles -= set(concept.examples.values_list("tile", flat=True))
    return Image.objects.filter(
        visible(), project=concept.project, generated=False, tiles__in=tiles, tiles__grid=1
    )


def _stored(concept: Concept) -> set[int]:
    """Return tiles of stored questions: the likeliest, the unlikeliest and the most disputed."""
    questions = Question.objects.filter(_WHOLE, kind=Question.Kind.CONCEPT, concept=concept)
    orders = "-probability", "probability", "-disagreement"
    tiles = questions.values_list("tile", flat=True)
    return {tile for order in orders for tile in tiles.order_by(order)[:POOL]}


def _predicted(concept: Concept) -> set[int]:
    """Return tiles at the ends and in the middle of the model's predictions."""
    project = concept.project
    log_odds, tiles = predictions.load(concept, project), predictions.tile_ids(project)
    if log_odds is None or len(log_odds) != len(tiles):
        return set()
    known = np.flatnonzero(~np.isnan(log_odds))
    values = log_odds[known].astype(np.float32)
    chosen = [np.argsort(key)[:POOL] for key in (values, -values, np.abs(values))]
    return {int(tiles[known[row]]) for rows in chosen for row in rows}


def _stated(concept: Concept) -> set[int]:
    """Return tiles of pictures that imports give one of its names."""
    images = Image.objects.filter(
        project=concept.project, generated=False, stated_keys__overlap=sorted(concept.keys)
    )
    return _wholes(images[:POOL])


def _at_random(concept: Concept) -> set[int]:
    images = Image.objects.filter(project=concept.project, generated=False).order_by("random_key")
    after = images.filter(random_key__gte=random.random())
    return _wholes(after[:POOL]) | _wholes(images[:POOL])


def _wholes(images: QuerySet[Image]) -> set[int]:
    ids = list(images.values_list("pk", flat=True))
    return set(Tile.objects.filter(image__in=ids, grid=1).order_by().values_list("pk", flat=True))


def _disputed(concept: Concept, tiles: Iterable[int]) -> set[int]:
    rows = Question.objects.filter(concept=concept, tile__in=list(tiles))
    disputed = rows.filter(Q(state=Question.State.AMBIGUOUS) | Q(disagreement__gt=0))
    return set(disputed.values_list("tile", flat=True))
