"""COCO's JSON: captions and categories of images, which are named by an id."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from labeling.decoding import ImageRejected
from labeling.imports.entries import By, Entry, Kind, Readings, Reference, Refusal
from labeling.imports.paths import normal

LISTS = "images", "annotations", "categories", "licenses"


def is_coco(document: object) -> bool:
    """Whether a JSON document has what COCO's have."""
    return (
        isinstance(document, dict)
        and "images" in document
        and bool({"annotations", "categories"} & document.keys())
    )


def read(document: dict[str, Any], where: str) -> Readings:
    """Read a document. Ids are compared as texts: 1 is "1". Raises `ImageRejected`."""
    lists = {name: document.get(name, []) for name in LISTS}
    for name, listed in lists.items():
        if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
            raise ImageRejected(f"its {name} are no list of objects, as COCO writes them")
    if "annotations" not in document:
        raise ImageRejected("it has no annotations, as COCO has them")
    images = _images(lists["images"])
    categories = {_id(row.get("id")): row.get("name") for row in lists["categories"]}
    licenses = {_id(row.get("id")): row.get("name") for row in lists["licenses"]}
    for row in lists["images"]:
        license = licenses.get(_id(row.get("license")))
        if license and isinstance(row.get("file_name"), str):
            place = f"{where}, image {_id(row.get('id'))}"
            yield Entry(_reference(row["file_name"]), Kind.LICENSE, license, place)
    for row in lists["annotations"]:
        yield from _annotation(row, images, categories, where)


def _images(listed: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the names of each id's images: of one that is used twice, all of them."""
    images: dict[str, set[str]] = defaultdict(set)
    for row in listed:
        if isinstance(row.get("file_name"), str):
            images[_id(row.get("id"))].add(row["file_name"])
    return images


def _annotation(
    row: dict[str, Any], images: dict[str, set[str]], categories: dict[str, Any], where: str
) -> Readings:
    place = f"{where}, annotation {_id(row['id'])}" if "id" in row else where
    named = images.get(_id(row.get("image_id")), set())
    reason = ""
    if "image_id" not in row:
        reason = "its annotation names no image: `image_id` is missing or wrong"
    elif not named:
        reason = f"its annotations name images that it does not list: {_id(row['image_id'])}"
    elif len(named) > 1:
        reason = f"two of its images have the id {_id(row['image_id'])}"
    for kind, text, problem in _texts(row, categories):
        if reason or problem:
            yield Refusal(place, kind, reason or problem)
        else:
            (name,) = named
            yield Entry(_reference(name), kind, text, place)


def _texts(row: dict[str, Any], categories: dict[str, Any]) -> Iterator[tuple[Kind, Any, str]]:
    """Yield the texts of an annotation, with what is wrong with it."""
    if "caption" in row:
        yield Kind.CAPTION, row["caption"], ""
    if row.get("category_id") is not None:
        pk = _id(row["category_id"])
        problem = f"its annotations name categories that it does not list: {pk}"
        yield Kind.KEYWORD, categories.get(pk), "" if pk in categories else problem
    elif "caption" not in row:
        yield Kind.TEXT, None, "its annotation has neither caption nor category_id"


def _reference(file_name: str) -> Reference:
    return Reference(normal(file_name), By.END)


def _id(value: Any) -> str:
    """Return an id as a text; 1.0 is 1, since some tools write all numbers so."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
