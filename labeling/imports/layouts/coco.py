"""COCO's JSON: captions, categories and boxes of images, which are named by an id.

Outlines and masks are read as the boxes around them; keypoints and supercategories are not read,
and a remark says so.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from labeling.decoding import ImageRejected
from labeling.imports import boxes
from labeling.imports.entries import Box, Entry, Kind, Readings, Reference, Refusal, Remark
from labeling.imports.layouts import addresses
from labeling.imports.provenance import Provenance
from labeling.numbers import count

OUTLINES = "with outlines or masks of {}, which are read as the boxes around them"
NOT_READ = "with {} of {}, which are not read"


class Outline(NamedTuple):
    """What is kept of a `segmentation`: the box around it, where it is of points."""

    box: tuple[float, float, float, float] | None


class _Image(NamedTuple):
    reference: Reference
    size: tuple[float, float] | None
    provenance: Provenance


class Document(Protocol):
    """A document, of which each call goes through the lists of these names again."""

    def rows(self, *wanted: str) -> Iterable[tuple[str, Any]]:
        """Yield each value with the name of its list; None in place of what is no list."""
        ...


class Whole:
    """A document that has been parsed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def rows(self, *wanted: str) -> Iterator[tuple[str, Any]]:
        for name in wanted:
            value = self._document.get(name, [])
            yield from ((name, each) for each in (value if isinstance(value, list) else [None]))


@dataclass
class _Document:
    """What the annotations of a document refer to, by ids; and counts of what is not read."""

    where: str
    images: dict[str, _Image] = field(default_factory=dict)
    ambiguous: set[str] = field(default_factory=set)  # ids of several images
    licenses: dict[str, Any] = field(default_factory=dict)  # names
    categories: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))
    unread: Counter[str] = field(default_factory=Counter)


def is_coco(document: object) -> bool:
    """Whether a JSON document has what COCO's have."""
    return (
        isinstance(document, dict)
        and "images" in document
        and bool({"annotations", "categories"} & document.keys())
    )


def slim(row: dict[str, Any]) -> dict[str, Any]:
    """Drop the points of an annotation's outline while its document is parsed: they are most of it.

    The outline is replaced by an `Outline`.
    """
    if row.get("segmentation") and ("image_id" in row or "category_id" in row):
        row["segmentation"] = Outline(_around(row["segmentation"]))
    return row


def read(document: Document, where: str) -> Readings:
    """Read a document. Ids are compared as texts: 1 is "1". Raises `ImageRejected`."""
    own = _Document(where)
    for name, row in document.rows("images", "categories", "licenses"):
        _refer(name, _object(name, row), own)
    if own.licenses:
        yield from _licenses(document, own)
    for name, row in document.rows("annotations"):
        yield from _annotation(_object(name, row), own)
    yield from _remarks(own)


def _refer(name: str, row: Mapping[str, Any], own: _Document) -> None:
    """Note what annotations refer to."""
    pk = _id(row.get("id"))
    if name == "licenses":
        own.licenses[pk] = row.get("name")
    elif name == "categories":
        category = row.get("name")
        own.categories[pk].add(category if isinstance(category, str) else None)
        own.unread["supercategories"] += bool(row.get("supercategory"))
    elif isinstance(row.get("file_name"), str):
        image = _image(row)
        if own.images.setdefault(pk, image).reference != image.reference:
            own.ambiguous.add(pk)


def _object(name: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ImageRejected(f"its {name} are no list of objects, as COCO writes them")
    return row


def _image(row: Mapping[str, Any]) -> _Image:
    url = row.get("coco_url") or row.get("flickr_url") or ""
    taken = row.get("date_captured") or ""
    return _Image(
        addresses.reference(row["file_name"]),
        boxes.size_of(row.get("width"), row.get("height")),
        Provenance(url=str(url), date=str(taken)),
    )


def _licenses(document: Document, own: _Document) -> Readings:
    for _, row in document.rows("images"):
        license = own.licenses.get(_id(row.get("license")))
        if license and isinstance(row.get("file_name"), str):
            place = f"{own.where}, image {_id(row.get('id'))}"
            yield Entry(_image(row).reference, Kind.LICENSE, license, place)


def _annotation(row: Mapping[str, Any], own: _Document) -> Readings:
    segments = row.get("segments_info")  # of a panoptic annotation: each is one of its own
    if isinstance(segments, list) and all(isinstance(each, dict) for each in segments):
        own.unread["masks of segments"] += bool(segments)
        for segment in segments:
            yield from _annotation({**segment, "image_id": row.get("image_id")}, own)
        return
    place = f"{own.where}, annotation {_id(row['id'])}" if "id" in row else own.where
    pk = _id(row.get("image_id"))
    image = own.images.get(pk)
    reason = ""
    if row.get("image_id") is None:
        reason = "its annotation names no image: `image_id` is missing or wrong"
    elif image is None:
        reason = f"its annotations name images that it does not list: {pk}"
    elif pk in own.ambiguous:
        reason = f"two of its images have the id {pk}"
    image = None if reason else image
    for kind, text, problem in _texts(row, own, image.size if image else None):
        if image is None or problem:
            yield Refusal(place, kind, reason or problem)
        else:
            yield Entry(image.reference, kind, text, place, image.provenance)


def _texts(
    row: Mapping[str, Any], own: _Document, size: tuple[float, float] | None
) -> Iterator[tuple[Kind, Any, str]]:
    """Yield the texts of an annotation, with what is wrong with it."""
    for name in ("keypoints", "attributes"):
        own.unread[name] += bool(row.get(name))
    outline = row.get("segmentation")
    own.unread["outlines"] += bool(outline)
    if "caption" in row:
        yield Kind.CAPTION, row["caption"], ""
    rectangle = row.get("bbox") or (outline.box if isinstance(outline, Outline) else None)
    if row.get("category_id") is not None and not _is_none(row, own):
        name, problem = _category(_id(row["category_id"]), own)
        if rectangle:
            yield Kind.BOX, _box(name, rectangle, size), problem
        else:
            yield Kind.KEYWORD, name, problem
    elif rectangle:
        yield Kind.BOX, None, "its box names no category"
    elif "caption" not in row:
        yield Kind.TEXT, None, "its annotation has neither caption nor category_id"


def _is_none(row: Mapping[str, Any], own: _Document) -> bool:
    """Whether a caption has the category 0 of none, as some tools write it."""
    return "caption" in row and not own.categories and _id(row["category_id"]) == "0"


def _category(pk: str, own: _Document) -> tuple[Any, str]:
    """Return the name of a category, and what is wrong with it."""
    names = own.categories.get(pk, set())
    if not names:
        return None, f"its annotations name categories that it does not list: {pk}"
    if len(names) > 1:
        return None, f"two of its categories have the id {pk}"
    (name,) = names
    return name, "" if name else f"its category {pk} has no name"


def _box(name: Any, rectangle: Any, size: tuple[float, float] | None) -> Box:
    if not isinstance(rectangle, list | tuple) or len(rectangle) != 4:
        return Box(name, *boxes.NOWHERE)
    left, top, width, height = rectangle
    return Box(name, left, top, width, height, size)


def _around(segmentation: Any) -> tuple[float, float, float, float] | None:
    """Return the box around polygons [[x, y, x, y, …], …]; None of a mask, or of anything else."""
    if not isinstance(segmentation, list):
        return None
    points: list[tuple[float, float]] = []
    for polygon in segmentation:
        if isinstance(polygon, list):
            points += zip(polygon[::2], polygon[1::2], strict=False)
    return boxes.around(points)


def _remarks(own: _Document) -> Iterator[Remark]:
    """Say what of the document is not read."""
    outlines = own.unread.pop("outlines", 0)
    if outlines:
        yield Remark(own.where, OUTLINES.format(count(outlines, "annotation")))
    for name, number in own.unread.items():
        if number:
            of_categories = name == "supercategories"
            of = f"{number:,} categories" if of_categories else count(number, "annotation")
            yield Remark(own.where, NOT_READ.format(name, of))


def _id(value: Any) -> str:
    """Return an id as a text; 1.0 is 1, since some tools write all numbers so."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
