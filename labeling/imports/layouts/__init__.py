"""The layouts in which people write what their pictures show: one file each.

A file is claimed by the first layout that claims its name; what none claims is a picture.
"""

from labeling.imports.entries import Layout
from labeling.imports.layouts import documents, huggingface, sidecars

LAYOUTS = (huggingface.METADATA, documents.JSON, sidecars.TEXT, sidecars.CLASS)
TABLES = (".jsonl", ".csv", ".tsv", ".parquet")  # of which only some names are read
OF_TEXTS = (*TABLES, *(suffix for layout in LAYOUTS for suffix in layout.suffixes))


def layout_of(path: str) -> Layout | None:
    """Return the layout of a member, by its name; None: it may be a picture, or a table."""
    return next((layout for layout in LAYOUTS if layout.claims(path)), None)


def size_max(path: str) -> int:
    """Return how many bytes of a file of texts are read at most."""
    if path.lower().endswith((*TABLES, *documents.JSON.suffixes)):
        return documents.DOCUMENT_MAX
    return sidecars.SIZE_MAX
