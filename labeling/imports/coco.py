"""COCO's JSON: captions and categories of images, which are named by an id."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from labeling.decoding import ImageRejected
from labeling.imports.members import path_key
from labeling.imports.metadata import Metadata

NAMED = 5  # ids that lead nowhere are named up to here


@dataclass(frozen=True)
class Document:
    """The images' metadata by their file names, and what of the document leads nowhere."""

    by_file: dict[str, Metadata]
    problems: list[str] = field(default_factory=list)


def is_coco(document: dict[str, Any]) -> bool:
    """Whether a JSON object has what COCO's have."""
    return "images" in document and bool({"annotations", "categories"} & document.keys())


def read(document: dict[str, Any]) -> Document:
    """Read a document. Ids are compared as texts: 1 is "1". Raises `ImageRejected`."""
    lists = {
        name: document.get(name, []) for name in ("images", "annotations", "categories", "licenses")
    }
    for name, rows in lists.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ImageRejected(f"its {name} are no list of objects, as COCO writes them")
    if "annotations" not in document:
        raise ImageRejected("it has no annotations, as COCO has them")
    try:
        return _read(**lists)
    except (KeyError, TypeError) as error:
        raise ImageRejected(f"not as COCO writes captions: {error} is missing or wrong") from error


def _read(
    *,
    images: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    categories: list[dict[str, Any]],
    licenses: list[dict[str, Any]],
) -> Document:
    names = {_id(row["id"]): row["name"] for row in categories}
    license_names = {_id(row["id"]): str(row.get("name", "")) for row in licenses}
    by_id = {
        _id(row["id"]): Metadata(license=license_names.get(_id(row.get("license")), ""))
        for row in images
    }
    unknown: dict[str, set[str]] = defaultdict(set)
    for row in annotations:
        metadata = by_id.get(_id(row["image_id"]))
        if metadata is None:
            unknown["images"].add(_id(row["image_id"]))
            continue
        if "caption" in row:
            metadata.add_caption(row["caption"])
        if row.get("category_id") is not None:
            if _id(row["category_id"]) in names:
                metadata.add_keyword(names[_id(row["category_id"])])
            else:
                unknown["categories"].add(_id(row["category_id"]))
    by_file: dict[str, Metadata] = {}
    named = dict.fromkeys((path_key(str(row["file_name"])), _id(row["id"])) for row in images)
    for file_name, pk in named:  # each once, however often it is listed
        by_file.setdefault(file_name, Metadata()).merge(by_id[pk])
    return Document(by_file, [_problem(kind, ids) for kind, ids in unknown.items()])


def _id(value: Any) -> str:
    """Return an id as a text; 1.0 is 1, since some tools write all numbers so."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _problem(kind: str, ids: Iterable[str]) -> str:
    first, *others = sorted(ids)
    more = ", ".join([first, *others[: NAMED - 1]]) + (" …" if len(others) >= NAMED else "")
    return f"its annotations name {kind} that it does not list: {more}"
