"""A row that describes a picture, as an object of JSON."""

from typing import Any

from labeling.imports import provenance
from labeling.imports.entries import Entry, Kind, Readings, Reference, Refusal
from labeling.imports.metadata import (
    CAPTION_COLUMNS,
    GOLD_COLUMN,
    KEYWORD_COLUMNS,
    LICENSE_COLUMN,
    TEXT_COLUMNS,
    of_row,
)


def read(row: dict[str, Any], reference: Reference, where: str) -> Readings:
    """Yield the texts of a row about that picture, or what it holds instead."""
    of = provenance.of_row(row)
    for kind, text in of_row(row):
        yield Entry(reference, kind, text, where, of)
    if not TEXT_COLUMNS & row.keys():
        others = ", ".join(sorted(row.keys() - {LICENSE_COLUMN, *FILE_COLUMNS})) or "nothing"
        wanted = ", ".join((*CAPTION_COLUMNS, *KEYWORD_COLUMNS, GOLD_COLUMN))
        yield Refusal(where, Kind.TEXT, f"found {others}; wanted {wanted}")


FILE_COLUMNS = "file_name", "image_file_name"
