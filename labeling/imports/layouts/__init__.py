"""The layouts in which people write what their pictures show: one file each.

A file is claimed by the first layout that claims its name; what none claims is a picture.
"""

from labeling.imports.entries import Layout
from labeling.imports.layouts import (
    documents,
    parquet,
    passed_over,
    sidecars,
    tables,
    xml_files,
    yolo,
)

LAYOUTS = (
    *passed_over.LAYOUTS,
    tables.JSON_LINES,
    tables.CSV,
    parquet.PARQUET,
    parquet.ARROW,
    documents.JSON,
    xml_files.XML,
    yolo.NAMES,
    sidecars.TEXT,
    sidecars.CLASS,
)
STREAMED_MAX = 64 * 2**30  # bytes of a table or document that is read row by row
OF_TEXTS = tuple(suffix for layout in LAYOUTS for suffix in layout.suffixes)


def layout_of(path: str) -> Layout | None:
    """Return the layout of a member, by its name; None: it may be a picture."""
    return next((layout for layout in LAYOUTS if layout.claims(path)), None)


def size_max(path: str) -> int:
    """Return how many bytes of a file of texts are read at most."""
    layout = layout_of(path)
    if layout in {tables.JSON_LINES, tables.CSV, parquet.PARQUET, parquet.ARROW, documents.JSON}:
        return STREAMED_MAX
    if layout is sidecars.CLASS:
        return sidecars.SIZE_MAX
    return documents.DOCUMENT_MAX
