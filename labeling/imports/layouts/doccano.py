"""doccano's JSON and JSON lines: a `filename` with labels, boxes or outlines."""

from collections.abc import Iterable, Iterator
from typing import Any

from labeling.imports import boxes
from labeling.imports.entries import Box, Entry, Kind, Readings, Refusal, Remark
from labeling.imports.layouts import addresses
from labeling.imports.layouts.values import dicts, others, several
from labeling.numbers import count

LABELS = "label", "labels", "categories", "cats", "text"
REGIONS = "bbox", "segmentation", "bboxes", "segments"
COMMENTS = "comments", "Comments"
OUTLINED = "with outlines of {}, which are read as the boxes around them"

Record = dict[str, Any]


def is_record(record: Record) -> bool:
    """Whether it is an example of a project about pictures."""
    return isinstance(record.get("filename"), str) and bool(
        {*LABELS, *REGIONS, *COMMENTS} & record.keys()
    )


def read(records: Iterable[tuple[str, Record]], path: str) -> Readings:
    """Read the labels of each example: whether they are captions is decided for the source."""
    outlined = 0
    for where, record in records:
        reference = addresses.reference(record["filename"])
        for name in LABELS:
            for label in several(record.get(name, [])):
                if label is not None and label != "":
                    yield Entry(reference, Kind.TEXT, label, where, group=name)
        for name in REGIONS:
            for _ in others(record.get(name)):
                yield Refusal(where, Kind.BOX, "its box is no object")
            for region in dicts(record.get(name, [])):
                outlined += "points" in region
                yield Entry(reference, Kind.BOX, _box(region), where)
        for name in COMMENTS:
            for _ in several(record.get(name) or []):
                yield Refusal(where, Kind.TEXT, "a comment, which is no text of the picture")
    if outlined:
        yield Remark(path, OUTLINED.format(count(outlined, "label")))


def _box(region: Record) -> Box:
    """Return the box of a region, in pixels of its picture."""
    rectangle: Any = [region.get(name) for name in ("x", "y", "width", "height")]
    if "points" in region:
        rectangle = _around(region["points"])
    return Box(region.get("label"), *rectangle)


def _around(points: Any) -> tuple[float, float, float, float]:
    """Return the box around points [x, y, x, y, …] or [[x, y], …]."""
    pairs = list(_pairs(points)) if isinstance(points, list) else []
    return boxes.around(pairs) or boxes.NOWHERE


def _pairs(points: list[Any]) -> Iterator[tuple[Any, Any]]:
    if all(isinstance(each, list) and len(each) == 2 for each in points):
        yield from ((x, y) for x, y in points)
    else:
        yield from zip(points[::2], points[1::2], strict=False)
