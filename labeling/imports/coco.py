"""COCO's JSON: captions and categories of images that are named without their folders."""

from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

from labeling.images.decoding import ImageRejected
from labeling.imports.metadata import Metadata


def is_coco(document: object) -> bool:
    """Whether a JSON document has what COCO's have."""
    return isinstance(document, dict) and {"images", "annotations"} <= document.keys()


def read(document: Any) -> dict[str, Metadata]:
    """Return the images' metadata by file name without folders. Raises `ImageRejected`."""
    try:
        categories = {row["id"]: row["name"] for row in document.get("categories", ())}
        licenses = {row["id"]: row.get("name", "") for row in document.get("licenses", ())}
        by_id: dict[Any, Metadata] = defaultdict(Metadata)
        for row in document["annotations"]:
            if "caption" in row:
                by_id[row["image_id"]].add_caption(row["caption"])
            if row.get("category_id") in categories:
                by_id[row["image_id"]].add_keyword(categories[row["category_id"]])
        for row in document["images"]:
            by_id[row["id"]].license = str(licenses.get(row.get("license"), ""))
        return {
            PurePosixPath(row["file_name"]).name: by_id[row["id"]] for row in document["images"]
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ImageRejected("not as COCO writes captions") from error
