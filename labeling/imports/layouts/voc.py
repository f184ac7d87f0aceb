"""Pascal VOC: an XML file for each picture, with the objects on it and their boxes.

LabelMe writes outlines in the same form: they are read as the boxes around them.
"""

from collections.abc import Iterable

from labeling.imports import boxes
from labeling.imports.entries import Box, By, Entry, Kind, Readings, Reference, Remark
from labeling.imports.layouts.elements import Element
from labeling.imports.paths import is_named_as_picture, normal, stem

ROOT = "annotation"
OUTLINED = "with outlines, which are read as the boxes around them"
CORNERS = "xmin", "ymin", "xmax", "ymax"


def read(children: Iterable[Element], path: str) -> Readings:
    """Read the objects of a picture, and the parts of objects, each with its box."""
    parts = list(children)
    reference = _reference(parts, path)
    size = next((each for each in parts if each.tag == "size"), None)
    lengths = [_number(size.text_of(name) if size else "") for name in ("width", "height")]
    known = boxes.size_of(*lengths)
    outlined = 0
    for number, element in enumerate((e for e in parts if e.tag == "object"), start=1):
        for each in (element, *(child for child in element.children if child.tag == "part")):
            where = f"{path}, object {number}"
            outlined += each.child("polygon") is not None
            yield _object(each, reference, known, where)
    if outlined:
        yield Remark(path, OUTLINED)


def _object(
    element: Element, reference: Reference, size: tuple[float, float] | None, where: str
) -> Entry:
    """Return what an object is, with its box; without one, it is said of the whole picture."""
    name = element.text_of("name")
    box, outline = element.child("bndbox"), element.child("polygon")
    if box is None and outline is not None:
        points = [each for each in outline.children if each.tag == "pt"]
        around = boxes.around((_number(p.text_of("x")), _number(p.text_of("y"))) for p in points)
        return Entry(reference, Kind.BOX, Box(name, *(around or boxes.NOWHERE), size), where)
    if box is None:
        return Entry(reference, Kind.KEYWORD, name, where)
    left, top, right, bottom = (_number(box.text_of(corner)) for corner in CORNERS)
    return Entry(reference, Kind.BOX, Box(name, left, top, right - left, bottom - top, size), where)


def _reference(parts: Iterable[Element], path: str) -> Reference:
    """Return the picture: that of the file's own name, in whichever folder; else as it says."""
    file_name = next((each.text.strip() for each in parts if each.tag == "filename"), "")
    name = normal(file_name).rpartition("/")[2]
    own = stem(path)
    if not is_named_as_picture(name) or stem(name) == own.rpartition("/")[2]:
        return Reference(own, By.NAME)
    return Reference(normal(file_name).lstrip("/"), By.END)


def _number(text: str) -> float:
    """Return a number as it is written; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return boxes.NOWHERE[0]
