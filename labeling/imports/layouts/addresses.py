"""Addresses by which other tools name pictures: uploads, shared folders, buckets, URLs."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from labeling.imports.entries import By, Reference
from labeling.imports.paths import is_named_as_picture, normal

COLUMNS = "image", "img", "picture", "photo", "image_url", "url", "filename", "file_name", "path"
UPLOADED = re.compile(r"[0-9a-f]{8}-(?P<name>.+)")  # as Label Studio stores what is uploaded
UPLOADS = "upload/"  # a folder of Label Studio
EMBEDDED = "data:"


def reference(address: str) -> Reference:
    """Return the picture of an address: by the end of its path, without what an upload added."""
    path = normal(path_of(address)).lstrip("/")
    uploaded = UPLOADED.fullmatch(path.rpartition("/")[2]) if UPLOADS in path else None
    return Reference(path, By.END, uploaded["name"] if uploaded else "")


def path_of(address: str) -> str:
    """Return the path in an address: `a/b.png` of `/data/local-files/?d=a/b.png`."""
    if "/data/local-files/" in address:
        local = parse_qs(urlsplit(address).query).get("d")
        return local[0] if local else address
    if "://" in address or address.startswith("/data/"):
        parts = _split(address)
        return unquote(parts)
    return address


def of_row(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (column, address) of the picture that a row is about; None where it names none."""
    for column in COLUMNS:
        if is_address(row.get(column)):
            return column, row[column]
    for column, value in row.items():
        if is_address(value) and is_named_as_picture(path_of(value)):
            return column, value
    return None


def is_address(value: object) -> bool:
    """Whether it is a text that may name a picture; one that is embedded names none."""
    return isinstance(value, str) and bool(value) and not value.startswith(EMBEDDED)


def _split(address: str) -> str:
    """Return host and path of a URL, without query and fragment; raw where it is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return f"{parts.netloc}{parts.path}"
