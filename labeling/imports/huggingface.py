"""Hugging Face's imagefolder: a `metadata.jsonl` with a row for each image beside or below it."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from labeling import json_lines
from labeling.imports import sidecars
from labeling.imports.members import Rejection, path_key
from labeling.imports.metadata import (
    CAPTION_COLUMNS,
    GOLD_COLUMN,
    KEYWORD_COLUMNS,
    TEXT_COLUMNS,
    Metadata,
    from_row,
)

NAME = "metadata.jsonl"
FILE_COLUMNS = "file_name", "image_file_name"


def read(path: str, data: bytes) -> Iterator[tuple[str, Metadata] | Rejection]:
    """Yield the path of each image named, with its metadata; reject rows, not the whole file.

    Raises `ImageRejected` where the file is no text.
    """
    folder = PurePosixPath(path).parent
    for number, line in json_lines.numbered(sidecars.decode(data)):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield Rejection(where, "no JSON")
            continue
        name = _file_name(row) if isinstance(row, dict) else None
        if name is None:
            yield Rejection(where, "names no file in `file_name`")
        else:
            yield path_key((folder / name.replace("\\", "/")).as_posix()), from_row(row)
            if not TEXT_COLUMNS & row.keys():
                yield Rejection(where, _without_text(row))


def _file_name(row: dict[str, Any]) -> str | None:
    names = (row.get(column) for column in FILE_COLUMNS)
    return next((name for name in names if isinstance(name, str)), None)


def _without_text(row: dict[str, Any]) -> str:
    """Return what a row holds instead of a text, and what is wanted."""
    others = ", ".join(sorted(row.keys() - {*FILE_COLUMNS, "license"})) or "nothing"
    return f"found {others}; wanted {', '.join((*CAPTION_COLUMNS, *KEYWORD_COLUMNS, GOLD_COLUMN))}"
