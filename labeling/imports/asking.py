"""Ask about the concepts that a source states of its pictures."""

from collections.abc import Iterable, Mapping, Sequence

from labeling import questions
from labeling.images import StoredImage
from labeling.imports import box_tiles
from labeling.imports.metadata import Metadata
from labeling.imports.plans import Plan
from labeling.models import Project, Tile
from labeling.models.projects import name_key
from labeling.restating import Change, Pair

Stored = tuple[str, StoredImage]  # a path and the picture there


def pictures_of(batch: Iterable[tuple[str, int]]) -> list[Stored]:
    """Return (path, picture) of those whose tiles are still there."""
    paths = list(batch)
    tiles = Tile.objects.select_related("image").in_bulk([tile for _, tile in paths])
    return [
        (path, StoredImage(tiles[tile].image, tiles[tile], new=False))
        for path, tile in paths
        if tile in tiles
    ]


def ask(
    project: Project,
    stored: Sequence[Stored],
    metadata: Mapping[str, Metadata],
    plan: Plan,
    changed: Mapping[Pair, Change],
    boxes: Sequence[box_tiles.Labelled],
) -> None:
    """Ask about the concepts that the source states; the rest stays implicit."""
    stated = {
        (box.tile, plan.by_key[box.key].pk): box.confidence
        for box in boxes
        if box.key in plan.by_key
    }
    for path, image in stored:
        if image.image.cut_into:  # it is not asked about as a whole
            continue
        confidence = image.image.import_confidence
        if of_own_folder := plan.class_of(path):
            stated[image.tile.pk, of_own_folder.pk] = confidence
        for keyword in metadata[path].keywords:
            if concept := plan.by_key.get(name_key(keyword)):
                stated[image.tile.pk, concept.pk] = confidence
    questions.ask_pairs(project=project, pairs=stated.keys(), stated=stated, changed=changed)
