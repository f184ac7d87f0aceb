"""Hugging Face's imagefolder: a `metadata.jsonl` with a row for each picture beside or below."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from labeling import json_lines
from labeling.images.decoding import ImageRejected
from labeling.imports import sidecars
from labeling.imports.texts import Words, of_row

NAME = "metadata.jsonl"


def words(path: str, data: bytes) -> Iterator[tuple[str, Words]]:
    """The path of each picture named, and what is said of it. Raises `ImageRejected`."""
    folder = PurePosixPath(path).parent
    for number, line in json_lines.numbered(sidecars.decode(data)):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ImageRejected(f"line {number} is not JSON") from error
        if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
            raise ImageRejected(f"line {number} names no file in `file_name`")
        yield (folder / row["file_name"]).as_posix(), of_row(row)
