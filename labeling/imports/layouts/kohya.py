"""The fine-tune JSON of kohya's trainer: {"images/a": {"caption": …, "tags": "dog, lawn"}}.

A key is the path of a picture, with its suffix or without, or only the end of it.
"""

from collections.abc import Iterable
from typing import Any

from labeling.imports.entries import By, Readings, Reference
from labeling.imports.layouts import rows, tables
from labeling.imports.members import Rejection
from labeling.imports.options import Options

COLUMNS = {"caption", "tags", "train_resolution", "image_size"}


def is_kohya(document: object) -> bool:
    """Whether a JSON document is a table of pictures by their paths, or of captions by pictures."""
    if not isinstance(document, dict) or not document:
        return False
    if all(isinstance(value, dict) for value in document.values()):
        return any(COLUMNS & value.keys() for value in document.values()) or _are_pictures(document)
    return _are_pictures(document)


def read(items: Iterable[tuple[str, Any]], path: str, options: Options) -> Readings:
    """Read what the items of a document say of a picture each."""
    for key, value in items:
        where = f"{path}, {key}"
        found = tables.reference(key, path, strict=False)
        if not isinstance(found, Reference):
            yield found._replace(where=where) if found else Rejection(where, "names no picture")
            continue
        if found.by is By.END and tables.PICTURE.fullmatch(key) is None:
            found = found._replace(by=By.NAME)
        row = value if isinstance(value, dict) else {"caption": value}
        yield from rows.read(row, found, where, options)


def _are_pictures(document: dict[str, Any]) -> bool:
    """Whether all keys are names of pictures."""
    return all(tables.PICTURE.fullmatch(key) for key in document)
