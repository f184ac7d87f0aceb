"""A column `objects`: boxes as Hugging Face's data sets for object detection have them.

It holds lists side by side, `{"bbox": [[left, top, width, height], …], "category": […]}`, or a list
of objects that have these each. Boxes are measured in pixels of the picture. Our Croissant has a
column for each of these lists.
"""

from collections.abc import Collection, Mapping
from itertools import zip_longest
from typing import Any

from labeling.imports import boxes
from labeling.imports.entries import Box

COLUMN = "objects"
OF_CROISSANT = "boxes", "box_left", "box_top", "box_width", "box_height"
BBOX, LABELS = "bbox", ("category", "categories", "label", "labels")


def columns_of(names: Collection[str]) -> set[str]:
    """Return which columns of a table hold boxes."""
    ours = set(OF_CROISSANT) if set(OF_CROISSANT) <= set(names) else set()
    return ours | ({COLUMN} & set(names))


def of_row(row: Mapping[str, Any], names: Mapping[str, list[str]]) -> list[Box] | None:
    """Return the boxes of a row; None: it has no such column. A label that is missing is None.

    names: of numbered classes, by column; of a column within this one by `objects.category`.
    """
    value = row.get(COLUMN)
    if isinstance(value, dict) and isinstance(value.get(BBOX), list):
        lists = {name: each for name, each in value.items() if isinstance(each, list)}
        return [
            _box({name: each[n] for name, each in lists.items() if n < len(each)}, names)
            for n in range(max(len(lists[name]) for name in (BBOX, *LABELS) if name in lists))
        ]
    if isinstance(value, list) and all(isinstance(each, dict) and BBOX in each for each in value):
        return [_box(each, names) for each in value]
    ours = [each for name in OF_CROISSANT if isinstance(each := row.get(name), list)]
    if len(ours) == len(OF_CROISSANT):
        return [
            _box({LABELS[0]: label, BBOX: sides}, names) for label, *sides in zip_longest(*ours)
        ]
    return None


def _box(value: Mapping[str, Any], names: Mapping[str, list[str]]) -> Box:
    bbox = value.get(BBOX)
    sides = bbox if isinstance(bbox, list | tuple) and len(bbox) == 4 else boxes.NOWHERE
    column = next((name for name in LABELS if value.get(name) not in (None, "")), "")
    label, classes = value.get(column), names.get(f"{COLUMN}.{column}", [])
    if isinstance(label, int) and 0 <= label < len(classes):
        label = classes[label]
    return Box(label, *sides)
