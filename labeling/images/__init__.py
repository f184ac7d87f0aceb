"""Bytes → image: decode, strip, hash, find near-duplicates, cut tiles."""

from labeling.decoding import ImageRejected
from labeling.images.files import Written, write_ahead
from labeling.images.store import (
    SOURCE_LENGTH,
    NewImage,
    StoredImage,
    add,
    add_many,
    clean_keywords,
    cut_license,
    cut_source,
    find_stored,
    lock,
    preparer,
    save_statements,
    stated_keys,
    stored_sources,
)
from labeling.images.visibility import VISIBLE, visible

__all__ = [
    "SOURCE_LENGTH",
    "VISIBLE",
    "ImageRejected",
    "NewImage",
    "StoredImage",
    "Written",
    "add",
    "add_many",
    "clean_keywords",
    "cut_license",
    "cut_source",
    "find_stored",
    "lock",
    "preparer",
    "save_statements",
    "stated_keys",
    "stored_sources",
    "visible",
    "write_ahead",
]
