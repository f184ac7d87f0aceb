"""The random slice: a uniform sample of all pictures, without regard to what is believed of them.

All pictures lie on a circle, at keys that were drawn when they were stored. A pool's slice holds
the pictures from its start up to its frontier, and the frontier moves on as questions are used.
Pictures that are imported later at a place which the frontier has passed belong to the slice too.
So whatever else is nominated, the first n pictures of the slice are a uniform sample.
"""

import math
from collections.abc import Iterator

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from labeling import questions
from labeling.models import Image, Pool, Question, Tile
from labeling.pools import levels

LATE = 10_000  # ids by which an import may be behind: it draws them before it commits
ROUNDING = 1e-12  # by which a place on the circle may be wrong


def position(key: float, pool: Pool) -> float:
    """Return the place of a picture with that random key in the pool's slice, in [0, 1)."""
    return min((key - pool.start) % 1.0, math.nextafter(1.0, 0.0))


def draw(pool: Pool, pictures: int) -> int:
    """Take the next pictures of the circle, and late ones, into a locked pool's slice.

    Their questions are stored, or belong to the slice from now on where they are stored already.
    The pool is to be saved. Return the number of pictures.
    """
    newest = Image.objects.aggregate(newest=Max("pk"))["newest"] or 0
    late = list(_late(pool))
    ahead = _ahead(pool, pictures)
    _add(pool, {pk: position(key, pool) for pk, key in [*late, *ahead]})
    if len(ahead) < pictures:
        pool.frontier = 1.0
    elif ahead:
        pool.frontier = max(pool.frontier, position(ahead[-1][1], pool))
    pool.newest_image = newest
    return len(late) + len(ahead)


def _ahead(pool: Pool, pictures: int) -> list[tuple[int, float]]:
    """Return (id, random key) of the next pictures from the frontier on, in the circle's order."""
    found: list[tuple[int, float]] = []
    for low, high in _arcs(pool.start + pool.frontier - ROUNDING, pool.start + 1.0):
        arc = _outside(pool).filter(random_key__gte=low, random_key__lt=high)
        rows = arc.order_by("random_key").values_list("pk", "random_key")
        found += rows[: pictures - len(found)]
    return found


def _late(pool: Pool) -> QuerySet[Image, tuple[int, float]]:
    """Return (id, random key) of pictures on the passed part that came since the last filling."""
    passed = Q(pk__in=[])
    for low, high in _arcs(pool.start, pool.start + pool.frontier + ROUNDING):
        passed |= Q(random_key__gte=low, random_key__lt=high)
    late = _outside(pool).filter(passed, pk__gt=pool.newest_image - LATE)
    return late.order_by("pk").values_list("pk", "random_key")


def _arcs(low: float, high: float) -> Iterator[tuple[float, float]]:
    """Yield the stretch of the circle from `low` to `high`, in [0, 2), as ranges of keys."""
    if low < 1.0:
        yield low, min(high, 1.0)
    if high > 1.0:
        yield max(low - 1.0, 0.0), high - 1.0


def _outside(pool: Pool) -> QuerySet[Image]:
    """Return the pictures that are not in the slice."""
    inside = Question.objects.filter(
        tile__image=OuterRef("pk"),
        tile__grid=pool.grid,
        concept=pool.concept_id,
        slice_key__isnull=False,
    )
    return levels.pictures(pool.concept.project, pool.grid).filter(~Exists(inside))


def _add(pool: Pool, positions: dict[int, float]) -> None:
    """Store the pictures' questions; mark those that are stored already, in the order of ids."""
    rows = Tile.objects.filter(image__in=positions, grid=pool.grid).order_by()
    keys = {tile: positions[image] for tile, image in rows.values_list("pk", "image_id")}
    questions.ask_pairs(
        project=pool.concept.project,
        pairs=[(tile, pool.concept_id) for tile in keys],
        reason=Question.Reason.RANDOM,
        slice_keys=keys,
    )
    stored = Question.objects.filter(concept=pool.concept_id, tile__in=keys, slice_key=None)
    for question in stored.order_by("pk").select_for_update(no_key=True):
        Question.objects.filter(pk=question.pk).update(slice_key=keys[question.tile_id])
