"""CVAT's XML for images (version 1.1): a task's pictures with their tags, boxes and outlines.

Outlines are read as the boxes around them. An attribute that is a caption by its name is one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from labeling.decoding import ImageRejected
from labeling.imports import boxes
from labeling.imports.entries import Box, By, Entry, Kind, Readings, Reference, Refusal, Remark
from labeling.imports.layouts.elements import Element
from labeling.imports.layouts.values import CAPTIONS
from labeling.imports.paths import normal
from labeling.numbers import count

ROOT = "annotations"
OUTLINES = {"polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton"}
OUTLINED = "with outlines, masks or turned boxes of {}, read as the boxes around them"
VIDEO = "CVAT's XML of a video: export the task as “CVAT for images 1.1”"
CUBOID = "xtl1", "ytl1", "xbr1", "ybr1", "xtr1", "ytr1", "xbl1", "ybl1"
REAR = tuple(f"{name[:-1]}2" for name in CUBOID)


def read(children: Iterable[Element], path: str) -> Readings:
    """Read picture after picture. Raises `ImageRejected` of a video's."""
    unread: Counter[str] = Counter()
    for element in children:
        if element.tag == "track":
            raise ImageRejected(VIDEO)
        if element.tag == "image":
            yield from _image(element, path, unread)
    if unread["outlines"]:
        yield Remark(path, OUTLINED.format(count(unread["outlines"], "label")))


def _image(image: Element, path: str, unread: Counter[str]) -> Readings:
    name = image.attributes.get("name", "")
    where = f"{path}, image {image.attributes.get('id', name)}"
    reference = Reference(normal(name).lstrip("/"), By.END) if name else None
    size = boxes.size_of(_number(image, "width"), _number(image, "height"))
    for shape in image.children:
        for kind, text in _of_shape(shape, size, unread):
            if reference is None:
                yield Refusal(where, kind, "its image has no name")
            else:
                yield Entry(reference, kind, text, where)
        yield from _attributes(shape, reference, where)


def _of_shape(
    shape: Element, size: tuple[float, float] | None, unread: Counter[str]
) -> Iterator[tuple[Kind, Any]]:
    label = shape.attributes.get("label", "")
    if shape.tag == "tag":
        yield Kind.KEYWORD, label
    elif shape.tag == "box" or shape.tag in OUTLINES:
        around = _around(shape)
        unread["outlines"] += shape.tag in OUTLINES or bool(_number(shape, "rotation", 0.0))
        yield Kind.BOX, Box(label, *(around or boxes.NOWHERE), size)


def _around(shape: Element) -> tuple[float, float, float, float] | None:
    """Return left, top, width and height of a shape, or of the box around it."""
    if shape.tag == "box":
        left, top, right, bottom = (_number(shape, each) for each in ("xtl", "ytl", "xbr", "ybr"))
        return _turned(shape, (left, top, right - left, bottom - top))
    if shape.tag == "ellipse":
        x, y, across, down = (_number(shape, each) for each in ("cx", "cy", "rx", "ry"))
        return _turned(shape, (x - across, y - down, 2 * across, 2 * down))
    if shape.tag == "mask":
        left, top, width, height = (
            _number(shape, each) for each in ("left", "top", "width", "height")
        )
        return left, top, width, height
    if shape.tag == "cuboid":
        numbers = [_number(shape, each) for each in (*CUBOID, *REAR)]
        return boxes.around(zip(numbers[::2], numbers[1::2], strict=True))
    points = [pair for each in (shape, *shape.children) for pair in _points(each)]
    return boxes.around(points)


def _turned(
    shape: Element, rectangle: tuple[float, float, float, float]
) -> tuple[float, float, float, float] | None:
    """Return the box around a rectangle that CVAT turned about its middle."""
    degrees = _number(shape, "rotation", 0.0)
    if not degrees:
        return rectangle
    left, top, width, height = rectangle
    pivot = (left + width / 2, top + height / 2)
    return boxes.turned(Box(None, *rectangle), degrees, pivot)


def _points(shape: Element) -> Iterator[tuple[float, float]]:
    """Yield the points of `x,y;x,y`; one that is none has no numbers."""
    for pair in shape.attributes.get("points", "").split(";"):
        if pair.strip():
            x, _, y = pair.partition(",")
            yield _float(x), _float(y)


def _attributes(shape: Element, reference: Reference | None, where: str) -> Readings:
    """Read captions from attributes that are so called; others say something of a part alone."""
    for attribute in shape.children:
        if attribute.tag != "attribute" or not attribute.text.strip():
            continue
        name = attribute.attributes.get("name", "")
        if shape.tag == "tag" and name.lower() in CAPTIONS and reference is not None:
            yield Entry(reference, Kind.CAPTION, attribute.text, where)
        else:
            yield Refusal(where, Kind.TEXT, f"an attribute, “{name}”, which is not read")


def _number(element: Element, name: str, default: float = boxes.NOWHERE[0]) -> float:
    text = element.attributes.get(name)
    return default if text is None else _float(text)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return boxes.NOWHERE[0]
