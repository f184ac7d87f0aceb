"""The random slice: a uniform sample of all pictures, without regard to what is believed of them.

All pictures lie on a circle, at keys that were drawn when they were stored. A pool's slice begins
at its start, and its frontier moves on as questions are used. All pictures before the frontier are
in the slice: what else is nominated or stated makes no difference, so they are a uniform sample of
all pictures. Where pictures are stored later at a place that the frontier has passed, it goes back
to the first of them (`new_pictures`), and takes them in as it passes again.

Whoever estimates by the slice takes its questions before the frontier and before the first that is
not answered, in the order of their places.
"""

import math
from collections.abc import Iterator, Mapping

from django.db.models import Exists, OuterRef

from labeling.models import Pool, Question, Tile
from labeling.pools import levels

ROUNDING = 1e-12  # by which a place on the circle may be wrong

GROWTH = 4  # of a stretch of pictures that are read together, over the last one
MARKED = 1_000  # questions in one statement

Picture = tuple[int, float]  # (image id, random key)


def position(key: float, start: float) -> float:
    """Return the place of a picture with that random key in a slice from `start`, in [0, 1)."""
    return min((key - start) % 1.0, math.nextafter(1.0, 0.0))


def draw(pool: Pool, pictures: int) -> dict[int, float]:
    """Move a locked pool's frontier on over so many pictures that are still to be asked about.

    Those on the way about which somebody was asked already belong to the slice as well. The
    frontier comes to lie at the first picture after them that is not in the slice, or at 1. Return
    the place of each of their tiles by id. The pool is to be saved, and the questions are to be
    stored or, where they are stored already, marked.
    """
    ahead, following = _ahead(pool, pictures)
    places = {pk: position(key, pool.start) for pk, key in ahead}
    pool.frontier = position(following[1], pool.start) if following else 1.0
    rows = Tile.objects.filter(image__in=places, grid=pool.grid).order_by()
    return {tile: places[image] for tile, image in rows.values_list("pk", "image_id")}


def mark(pool: Pool, places: Mapping[int, float]) -> None:
    """Take the questions about these tiles into the slice, as far as they are stored outside it.

    They are locked in the order of their ids.
    """
    outside = Question.objects.filter(
        concept=pool.concept_id, tile__in=list(places), slice_key=None
    )
    locked = outside.order_by("pk").select_for_update(of=("self",), no_key=True)
    questions = list(locked.only("pk", "tile_id"))
    for question in questions:
        question.slice_key = places[question.tile_id]
    Question.objects.bulk_update(questions, ["slice_key"], batch_size=MARKED)


def _ahead(pool: Pool, pictures: int) -> tuple[list[Picture], Picture | None]:
    """Return the next pictures outside the slice, in the circle's order, and the one after them.

    So many of them are still to be asked about, as far as there are.
    """
    ahead: dict[int, Picture] = {}
    left = pictures
    for low, high in _arcs(pool.start + max(pool.frontier - ROUNDING, 0.0), pool.start + 1.0):
        for pk, key, answered in _in_order(pool, low, high, pictures + 1):
            if pk in ahead:
                continue
            if not left:
                return list(ahead.values()), (pk, key)
            ahead[pk] = (pk, key)
            left -= not answered
    return list(ahead.values()), None


def _in_order(pool: Pool, low: float, high: float, size: int) -> Iterator[tuple[int, float, bool]]:
    """Yield (id, random key, whether it was answered) of pictures outside the slice, by key.

    They are read in stretches that grow from `size`, whose ends are yielded twice.
    """
    questions = Question.objects.filter(
        tile__image=OuterRef("pk"), tile__grid=pool.grid, concept=pool.concept_id
    )
    pictures = levels.pictures(pool.concept.project, pool.grid)
    outside = pictures.filter(~Exists(questions.filter(slice_key__isnull=False)))
    answered = outside.annotate(answered=Exists(questions.exclude(state="open", answers_count=0)))
    while True:
        stretch = answered.filter(random_key__gte=low, random_key__lt=high).order_by("random_key")
        rows = list(stretch.values_list("pk", "random_key", "answered")[:size])
        yield from rows
        if len(rows) < size:
            return
        low, size = rows[-1][1], GROWTH * size


def _arcs(low: float, high: float) -> Iterator[tuple[float, float]]:
    """Yield the stretch of the circle from `low` to `high`, in [0, 2), as ranges of keys."""
    if low < 1.0:
        yield low, min(high, 1.0)
    if high > 1.0:
        yield max(low - 1.0, 0.0), high - 1.0
