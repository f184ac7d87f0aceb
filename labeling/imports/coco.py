"""COCO's JSON: captions and categories of pictures that are named without their folders."""

from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

from labeling.images.decoding import ImageRejected
from labeling.imports.texts import Words


def recognised(document: object) -> bool:
    return isinstance(document, dict) and {"images", "annotations"} <= document.keys()


def words(document: Any) -> dict[str, Words]:
    """File name without folders → what is said of the picture. Raises `ImageRejected`."""
    try:
        categories = {row["id"]: row["name"] for row in document.get("categories", ())}
        licenses = {row["id"]: row.get("name", "") for row in document.get("licenses", ())}
        said: dict[Any, Words] = defaultdict(Words)
        for row in document["annotations"]:
            if "caption" in row:
                said[row["image_id"]].caption(row["caption"])
            if row.get("category_id") in categories:
                said[row["image_id"]].keyword(categories[row["category_id"]])
        for row in document["images"]:
            said[row["id"]].license = str(licenses.get(row.get("license"), ""))
        return {PurePosixPath(row["file_name"]).name: said[row["id"]] for row in document["images"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ImageRejected("not as COCO writes captions") from error
