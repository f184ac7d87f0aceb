"""Hugging Face's imagefolder: a `metadata.jsonl` with a row for each image beside or below it."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from labeling import json_lines
from labeling.images.decoding import ImageRejected
from labeling.imports import sidecars
from labeling.imports.metadata import Metadata, from_row

NAME = "metadata.jsonl"


def read(path: str, data: bytes) -> Iterator[tuple[str, Metadata]]:
    """Yield the path of each image named, and its metadata. Raises `ImageRejected`."""
    folder = PurePosixPath(path).parent
    for number, line in json_lines.numbered(sidecars.decode(data)):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ImageRejected(f"line {number} is not JSON") from error
        if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
            raise ImageRejected(f"line {number} names no file in `file_name`")
        yield (folder / row["file_name"]).as_posix(), from_row(row)
