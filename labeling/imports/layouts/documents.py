"""A JSON file: a dataset's annotations, a table of pictures, or a row beside its picture."""

import json
from collections.abc import Container, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

from labeling.decoding import ImageRejected, too_large
from labeling.imports import texts
from labeling.imports.entries import Columns, Entry, Kind, Layout, Readings, Remark
from labeling.imports.json_pieces import Document
from labeling.imports.layouts import coco, kohya, passed_over, records, rows, sidecars, tables
from labeling.imports.members import Member, Rejection
from labeling.imports.options import Options

NOTES = {"categories", "info"}  # of a `notes.json` that Label Studio lays beside YOLO's labels
DOCUMENT_MAX = 512 * 2**20  # bytes of an XML or YAML file
NO_ROWS = "a list neither of captions nor of objects that name pictures"
WHOLE_MAX = 16 * 2**20  # bytes of JSON that is parsed at once


def _read(member: Member, options: Options) -> Readings:
    with member.open() as file:
        data = file.read(WHOLE_MAX + 1)
    if len(data) > WHOLE_MAX:
        yield from _read_large(data, member, options)
        return
    text = texts.decode(data, options.encoding)
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
        yield from _read_coco(coco.Whole(document), document, member.path)
    elif document.keys() <= NOTES and isinstance(document.get("categories"), list):
        yield Remark(member.path, passed_over.PASSED_OVER)
    elif kohya.is_kohya(document):
        yield from kohya.read(document.items(), member.path, options)
    else:
        yield from rows.read(document, sidecars.reference(member), member.path, options)


def _read_coco(document: coco.Document, names: Container[str], path: str) -> Readings:
    if "annotations" not in names:
        raise ImageRejected("it has no annotations, as COCO has them")
    yield from (records.by_name(each, "COCO") for each in coco.read(document, path))


def _read_large(begin: bytes, member: Member, options: Options) -> Readings:
    """Read what is too large to be parsed whole: a value at a time."""
    if _are_lines(begin.decode("utf-8-sig", "replace")):
        yield from tables.read_json_lines(member, options)
        return
    document = Document(member, options.encoding, coco.slim)
    if document.is_list():
        yield from _read_large_list(document, member, options)
    elif coco.is_coco(names := document.names()):
        yield from _read_coco(document, names, member.path)
    elif kohya.is_kohya(dict(islice(document.items(), records.FIRST))):
        yield from kohya.read(document.items(), member.path, options)
    else:
        raise ImageRejected(too_large(WHOLE_MAX))


def _read_large_list(document: Document, member: Member, options: Options) -> Readings:
    """Read the records of a tool, or rows that name their pictures each."""
    first: list[Any] = []
    with suppress(ImageRejected):  # which is said when it is come to again
        for each in islice(document.values(), records.FIRST):
            first.append(each)
    if tool := records.tool_of(first):
        yield from records.read_each(tool, document.values(), member.path)
        return
    if not any(isinstance(each, dict) for each in first):
        raise ImageRejected(NO_ROWS)
    yield from _read_rows(document.values(), member, options)


def _read_list(document: list[Any], member: Member, options: Options) -> Readings:
    """Read captions of the picture beside it, or rows that name their pictures each."""
    if document and all(isinstance(each, str) for each in document):
        for each in document:
            yield Entry(sidecars.reference(member), Kind.CAPTION, each, member.path)
        return
    if not any(isinstance(each, dict) for each in document):
        raise ImageRejected(NO_ROWS)
    yield from _read_rows(document, member, options)


def _read_rows(document: Iterable[Any], member: Member, options: Options) -> Readings:
    for number, row in enumerate(document, start=1):
        where = f"{member.path}, row {number}"
        if isinstance(row, dict):
            if number == 1:
                yield Columns(tuple(row))
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
