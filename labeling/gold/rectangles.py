"""Gold parts of a cut picture, from rectangles drawn around what is to be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from labeling import audit
from labeling.gold.marking import GoldError, mark_pairs, unmark
from labeling.models import Concept, Event, GoldMark, Image, Question, Tile

COVERED = 0.2  # of a part's area, from which on it shows what the rectangle surrounds
MAX = 50  # rectangles


class Rectangle(NamedTuple):
    """A rectangle in a picture, in its pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height


@dataclass(frozen=True)
class Marked:
    """What became of the parts of a picture."""

    yes: int
    no: int
    unclear: int  # barely touched: no gold


def mark_rectangles(
    *,
    image: Image,
    concept: Concept,
    rectangles: Sequence[Rectangle],
    by: AbstractBaseUser,
) -> Marked:
    """Make the parts of a cut picture gold by rectangles around all that shows the concept.

    A part that they cover by more than COVERED of its area shows it; one that they do not touch
    does not; what is in between is no gold, also where it was. Without a rectangle no part shows
    it, and neither does the whole. Raises GoldError, and then changes nothing.
    """
    _check(image, rectangles)
    tiles = list(image.tiles.filter(grid=image.cut_into).order_by("position"))
    if image.cut_into < 2 or not tiles:
        raise GoldError("The picture is not cut into parts: cut it first.")
    covered = {tile.pk: coverage(tile, rectangles) for tile in tiles}
    values = {
        (pk, concept.pk): share > COVERED
        for pk, share in covered.items()
        if share == 0 or share > COVERED
    }
    unclear = [pk for pk in covered if (pk, concept.pk) not in values]
    with transaction.atomic():
        outcome = mark_pairs(
            project=image.project,
            values=values if rectangles else values | _whole(image, concept),
            by=by,
            origin=GoldMark.Origin.RECTANGLE,
            record=False,
        )
        for reason in outcome.refused.values():
            raise GoldError(f"That cannot be gold: {reason}.")
        for question in Question.objects.filter(tile__in=unclear, concept=concept, state="gold"):
            unmark(question=question, by=by, settle=False)
        marked = Marked(sum(values.values()), len(values) - sum(values.values()), len(unclear))
        audit.record(
            project=image.project,
            kind=Event.Kind.GOLD,
            message=f"“{concept.phrase}” is gold in the parts of “{image}”: {marked.yes} yes, "
            f"{marked.no} no.",
            by=by,
            row=image,
        )
    return marked


def coverage(tile: Tile, rectangles: Sequence[Rectangle]) -> float:
    """Return the share of a tile's area, in [0, 1], that lies in any of the rectangles."""
    right, bottom = tile.left + tile.width, tile.top + tile.height
    within = [
        (max(r.left, tile.left), max(r.top, tile.top), min(r.right, right), min(r.bottom, bottom))
        for r in rectangles
    ]
    within = [each for each in within if each[0] < each[2] and each[1] < each[3]]
    area = 0.0
    for left, right_ in pairwise(sorted({x for each in within for x in (each[0], each[2])})):
        spans = sorted((e[1], e[3]) for e in within if e[0] <= left and e[2] >= right_)
        area += (right_ - left) * _length(spans)
    return area / (tile.width * tile.height)


def _length(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of sorted spans."""
    total, reached = 0.0, float("-inf")
    for start, stop in spans:
        total += max(stop - max(start, reached), 0.0)
        reached = max(reached, stop)
    return total


def _check(image: Image, rectangles: Sequence[Rectangle]) -> None:
    """Raise GoldError unless all rectangles lie in the picture and have an area."""
    if len(rectangles) > MAX:
        raise GoldError(f"Draw up to {MAX} rectangles: the picture has {len(rectangles)}.")
    for r in rectangles:
        inside = r.left >= 0 and r.top >= 0 and r.right <= image.width and r.bottom <= image.height
        if not (inside and r.width >= 1 and r.height >= 1):
            raise GoldError("A rectangle lies outside the picture, or is empty: draw it again.")


def _whole(image: Image, concept: Concept) -> dict[tuple[int, int], bool]:
    wholes = image.tiles.filter(grid=1).values_list("pk", flat=True)
    return {(pk, concept.pk): False for pk in wholes}
