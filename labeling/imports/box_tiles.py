"""Boxes of a source → tiles that people are asked about, with what imports say that they show."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from django.db import transaction

from labeling import bulk_insert, images, removal, restating
from labeling.images import StoredImage
from labeling.imports import boxes
from labeling.imports.boxes import Placed
from labeling.imports.entries import Kind
from labeling.imports.metadata import Metadata
from labeling.models import BoxStatement, Image, Import, Project, Question, Tile
from labeling.models.projects import name_key
from labeling.restating import Watch


class Labelled(NamedTuple):
    """A box, and what an import says that it shows."""

    tile: int
    key: str  # of the label
    confidence: float


Labels = dict[Placed, dict[str, None]]  # of the boxes of one image, each once and in order


def store(
    record: Import,
    stored: Sequence[tuple[str, StoredImage]],
    metadata: Mapping[str, Metadata],
) -> tuple[list[Labelled], int]:
    """Store the boxes of a batch's images; return them.

    Boxes of the same place are one tile. What cannot lie on its picture is refused in the
    metadata. Return also how many were clipped. Call it while the project's images are held
    (`images.lock`).
    """
    wanted, clipped = _wanted(stored, metadata)
    if not wanted:
        return [], 0
    image_of = {each.image.pk: each.image for _, each in stored}
    tiles = _tiles(image_of, wanted)
    rows = [
        BoxStatement(tile=tile, imported_by=record, label=label, key=name_key(label))
        for (image, placed), tile in tiles.items()
        for label in wanted[image][placed]
    ]
    bulk_insert.insert(rows)  # but for those that an attempt before has stored
    confidence = {pk: image.import_confidence for pk, image in image_of.items()}
    labelled = [Labelled(row.tile_id, row.key, confidence[row.tile.image_id]) for row in rows]
    return labelled, clipped


@transaction.atomic
def take_back(record: Import, image_ids: Collection[int]) -> None:
    """Take back what an import says of the boxes on these images."""
    images.lock(record.project)
    statements = BoxStatement.objects.filter(imported_by=record, tile__image__in=image_ids)
    watch = Watch(record.project, list(statements.values_list("tile", flat=True)))
    statements.delete()
    restating.restate({}, watch.changes())


@transaction.atomic
def remove_unstated(project: Project, image_ids: Collection[int]) -> int:
    """Remove the boxes of which no import says anything; return how many answers were archived."""
    images.lock(project)
    boxes_gone = Tile.objects.filter(image__in=image_ids, grid=Tile.BOX, box_statements=None)
    tiles = list(boxes_gone.order_by("pk").values_list("pk", flat=True))
    if not tiles:
        return 0
    asked = Question.objects.filter(tile__in=tiles)
    answers = removal.withdraw_questions(list(asked.values_list("pk", flat=True)))
    removal.expire_later(project, tiles)
    Tile.objects.filter(pk__in=tiles).delete()
    return answers


def _wanted(
    stored: Sequence[tuple[str, StoredImage]], metadata: Mapping[str, Metadata]
) -> tuple[dict[int, Labels], int]:
    """Return the labels of the boxes on each image, and how many of them were clipped."""
    wanted: dict[int, Labels] = defaultdict(dict)
    clipped = 0
    for path, each in stored:
        image = each.image
        for box, where in metadata[path].boxes.items():
            placed = boxes.place(box, image.width, image.height)
            if isinstance(placed, str):
                metadata[path].refuse(Kind.BOX, placed, where)
                continue
            place, beyond = placed
            wanted[image.pk].setdefault(place, {})[box.label] = None
            clipped += beyond
    return wanted, clipped


def _tiles(
    image_of: Mapping[int, Image], wanted: Mapping[int, Labels]
) -> dict[tuple[int, Placed], Tile]:
    """Return the tile of each box; those that are missing are stored."""
    present: dict[int, dict[Placed, Tile]] = defaultdict(dict)
    for tile in Tile.objects.filter(image__in=wanted, grid=Tile.BOX).order_by("pk"):
        present[tile.image_id][Placed(tile.left, tile.top, tile.width, tile.height)] = tile
    new: list[Tile] = []
    for pk, labels in wanted.items():
        for tile in _missing(image_of[pk], labels, present[pk]):
            present[pk][Placed(tile.left, tile.top, tile.width, tile.height)] = tile
            new.append(tile)
    bulk_insert.insert_with_ids(new)
    return {(pk, place): present[pk][place] for pk, labels in wanted.items() for place in labels}


def _missing(image: Image, labels: Labels, present: Mapping[Placed, Tile]) -> Iterator[Tile]:
    """Yield the tiles of boxes that an image lacks."""
    position = max((tile.position for tile in present.values()), default=-1)
    for place in [place for place in labels if place not in present]:
        position += 1
        yield Tile(
            image=image,
            grid=Tile.BOX,
            position=position,
            left=place.left,
            top=place.top,
            width=place.width,
            height=place.height,
        )
