"""A JSON file: a dataset's annotations, a table of pictures, or a row beside its picture."""

import json
from typing import Any

from labeling.decoding import ImageRejected
from labeling.imports import texts
from labeling.imports.entries import Entry, Kind, Layout, Readings, Remark
from labeling.imports.layouts import coco, kohya, passed_over, records, rows, sidecars, tables
from labeling.imports.members import Member, Rejection
from labeling.imports.options import Options

NOTES = {"categories", "info"}  # of a `notes.json` that Label Studio lays beside YOLO's labels
DOCUMENT_MAX = 512 * 2**20  # bytes


def _read(member: Member, options: Options) -> Readings:
    text = texts.decode(member.read(DOCUMENT_MAX), options.encoding)
    try:
        document = texts.parsed(text, coco.slim)
    except ImageRejected:
        if not _are_lines(text):
            raise
        yield from tables.read_json_lines(member, options)
        return
    if tool := records.tool_of(document if isinstance(document, list) else [document]):
        yield from records.read(tool, document, member.path)
    elif isinstance(document, list):
        yield from _read_list(document, member, options)
    elif not isinstance(document, dict):
        raise ImageRejected("no JSON object")
    elif coco.is_coco(document):
        yield from (records.by_name(each, "COCO") for each in coco.read(document, member.path))
    elif document.keys() <= NOTES and isinstance(document.get("categories"), list):
        yield Remark(member.path, passed_over.PASSED_OVER)
    elif kohya.is_kohya(document):
        yield from kohya.read(document, member.path, options)
    else:
        yield from rows.read(document, sidecars.reference(member), member.path, options)


def _read_list(document: list[Any], member: Member, options: Options) -> Readings:
    """Read captions of the picture beside it, or rows that name their pictures each."""
    if document and all(isinstance(each, str) for each in document):
        for each in document:
            yield Entry(sidecars.reference(member), Kind.CAPTION, each, member.path)
        return
    if not any(isinstance(each, dict) for each in document):
        raise ImageRejected("a list neither of captions nor of objects that name pictures")
    for number, row in enumerate(document, start=1):
        where = f"{member.path}, row {number}"
        if isinstance(row, dict):
            yield from tables.read_row(row, member.path, where, options, strict=False)
        else:
            yield Rejection(where, "no object of JSON")


def _are_lines(text: str) -> bool:
    """Whether it is JSON lines under another name: its first line is an object of several."""
    first, _, rest = text.lstrip().partition("\n")
    try:
        return bool(rest.strip()) and isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


JSON = Layout("JSON", _read, suffixes=(".json",))
