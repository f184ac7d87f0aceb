"""The boxes on a picture that imports drew: where they are, and what is said that they show."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Prefetch

from labeling.models import BoxStatement, Image, Tile

SHOWN = 100  # boxes


@dataclass(frozen=True)
class ShownBox:
    """A box, and the labels that imports give it."""

    tile: Tile
    labels: Sequence[str]

    @property
    def number(self) -> int:
        return int(self.tile.position) + 1


def of(image: Image) -> list[ShownBox]:
    """Return the first boxes of an image, in the order in which they came."""
    statements = Prefetch("box_statements", BoxStatement.objects.order_by("pk"))
    tiles = image.tiles.filter(grid=Tile.BOX).order_by("position").prefetch_related(statements)
    return [
        ShownBox(tile, list(dict.fromkeys(each.label for each in tile.box_statements.all())))
        for tile in tiles[:SHOWN]
    ]
