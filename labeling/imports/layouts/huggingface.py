"""Hugging Face's imagefolder: a `metadata.jsonl` with a row for each image beside or below it."""

import json
from typing import Any

from labeling import json_lines
from labeling.imports import texts
from labeling.imports.entries import Kind, Layout, Readings, Reference, Refusal
from labeling.imports.layouts import rows
from labeling.imports.members import Member, Rejection
from labeling.imports.options import Options
from labeling.imports.paths import folder_of, inside

TABLE_MAX = 256 * 2**20  # bytes


def _read(member: Member, options: Options) -> Readings:
    """Read it row by row; a row that is wrong spoils no other."""
    folder = folder_of(member.path)
    for number, line in json_lines.numbered(texts.decode(member.read(TABLE_MAX), options.encoding)):
        where = f"{member.path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield Rejection(where, "no JSON")
            continue
        name = _file_name(row) if isinstance(row, dict) else None
        path = inside(folder, name) if name else None
        if name is None:
            yield Rejection(where, "names no file in `file_name`")
        elif path is None:
            yield Refusal(where, Kind.TEXT, f"names {name}, which lies outside of the source")
        else:
            yield from rows.read(row, Reference(path), where)


def _file_name(row: dict[str, Any]) -> str | None:
    names = (row.get(column) for column in rows.FILE_COLUMNS)
    return next((name for name in names if isinstance(name, str) and name), None)


METADATA = Layout("metadata of Hugging Face", _read, names=("metadata.jsonl",))
