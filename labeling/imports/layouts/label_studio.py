"""Label Studio's exports: JSON with the annotations of each task; JSON-MIN and CSV, a row each.

Boxes, and the boxes around outlines, are read with their labels, choices as keywords, written texts
as captions. Answers of several people about one task are not for an import of pictures.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labeling.imports import boxes
from labeling.imports.entries import (
    FRACTIONS,
    Box,
    Entry,
    Kind,
    Readings,
    Reference,
    Refusal,
    Remark,
)
from labeling.imports.layouts import addresses, columns, rows
from labeling.imports.layouts.values import CAPTIONS, KEYWORDS, dicts, others, several
from labeling.numbers import count

SEVERAL = (
    "several people answered about it: import the file once more, as answers, on the page of"
    " pictures or by tessera import_answers"
)
NO_PICTURE = "its task names no picture"
NO_OBJECT = "no object, as Label Studio writes annotations and results"
CANCELLED = "its annotation was cancelled"
PREDICTED = "a prediction, which nobody has confirmed"
TURNED = "with outlines or turned boxes of {}, which are read as the boxes around them"
MASKS = "with masks or points of {}, of which the label alone is read"
OF_REGION = "a text about a part of the picture"
OF_ROWS = {"annotation_id", "annotator", "lead_time"}
OWN = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}

Task = dict[str, Any]
Tasks = Iterable[tuple[str, Task]]
Found = tuple[Kind, Any, str]  # kind, text, and what is wrong with it


def is_task(record: Task) -> bool:
    """Whether it is a task of the JSON export."""
    lists = record.get("annotations", record.get("completions"))
    return isinstance(record.get("data"), dict) and isinstance(lists, list)


def is_row(record: Task) -> bool:
    """Whether it is a row of the JSON-MIN export."""
    return "lead_time" in record and bool({"annotation_id", "annotator"} & record.keys())


def of_cells(header: Sequence[str], cells: Sequence[str]) -> Task:
    """Return a row of the CSV export, whose cells hold the same as JSON-MIN, or JSON of it."""
    return {name: _parsed(cell) for name, cell in zip(header, cells, strict=True) if cell}


def read(tasks: Tasks, path: str) -> Readings:
    """Read tasks with their annotations; `completions` is their name before version 1."""
    unread: Counter[str] = Counter()
    for where, task in tasks:
        named = addresses.of_row(task["data"])
        reference = addresses.reference(named[1]) if named else None
        for found in _of_task(task, unread):
            yield _reading(reference, found, where)
        column = named[0] if named else None
        data = {name: each for name, each in task["data"].items() if name != column}
        yield from _of_data(data, reference, where)
    yield from _remarks(unread, path)


def read_rows(tasks: Tasks, path: str) -> Readings:
    """Read the rows of JSON-MIN: one for each annotation, whose answers are its columns."""
    listed = list(tasks)
    people: dict[str, set[str]] = defaultdict(set)
    for _, row in listed:
        people[str(row.get("id"))].add(str(row.get("annotator")))
    unread: Counter[str] = Counter()
    for where, row in listed:
        named = addresses.of_row(row)
        reference = addresses.reference(named[1]) if named else None
        answers = SEVERAL if len(people[str(row.get("id"))]) > 1 else ""
        known = OWN | ({named[0]} if named else set())
        for column in (each for each in row if each not in known):
            for kind, text, problem in _of_column(column, row[column], unread):
                yield _reading(reference, (kind, text, answers or problem), where, column)
    yield from _remarks(unread, path)


def _reading(
    reference: Reference | None, found: Found, where: str, group: str = ""
) -> Entry | Refusal:
    kind, text, problem = found
    if reference is None or problem:
        return Refusal(where, kind, problem or NO_PICTURE)
    return Entry(reference, kind, text, where, group=group)


def _of_data(data: Task, reference: Reference | None, where: str) -> Readings:
    """Yield the texts that a task was made with, beside its picture."""
    if not any(columns.role(name, {}) in rows.OF_TEXTS for name in data):
        return
    for reading in rows.read(data, reference or Reference(""), where):
        if reference is None and isinstance(reading, Entry):
            yield Refusal(where, reading.kind, NO_PICTURE)
        else:
            yield reading


def _of_task(task: Task, unread: Counter[str]) -> Iterator[Found]:
    """Yield what the annotations of a task say, with what is wrong with it."""
    listed = task.get("annotations", task.get("completions"))
    annotations = dicts(listed)
    results = [each.get("result") for each in annotations]
    for _ in [*others(listed), *(other for each in results for other in others(each))]:
        yield Kind.TEXT, None, NO_OBJECT
    given = [each for each in annotations if each.get("result") and not each.get("was_cancelled")]
    people = {str(each.get("completed_by")) for each in given}
    for each in annotations:
        problem = CANCELLED if each.get("was_cancelled") else SEVERAL if len(people) > 1 else ""
        for result in dicts(each.get("result")):
            for kind, text, own in _of_result(result, unread):
                yield kind, text, problem or own
    for each in dicts(task.get("predictions")):
        for result in dicts(each.get("result")):
            yield from ((kind, text, PREDICTED) for kind, text, _ in _of_result(result, Counter()))


def _of_result(result: Task, unread: Counter[str]) -> Iterator[Found]:
    value = result.get("value")
    if not isinstance(value, dict):
        unread["relations"] += 1
        return
    frame = {name: result.get(name) for name in ("original_width", "original_height")}
    turned = bool(result.get("image_rotation"))
    yield from _of_value({**frame, **value}, str(result.get("type", "")), turned, unread)


def _of_value(value: Task, type_: str, turned: bool, unread: Counter[str]) -> Iterator[Found]:
    """Yield what a value says: of a region with its labels, or of the picture as a whole."""
    labels = next(
        (value[key] for key in value if key.endswith("labels") and isinstance(value[key], list)),
        value.get("choices") if _is_region(value) else None,
    )
    if labels is not None:
        rectangle, problem = _rectangle(value, turned, unread)
        for label in labels:
            if rectangle is None and not problem:
                unread["masks"] += 1
                yield Kind.KEYWORD, label, ""
            else:
                yield Kind.BOX, rectangle and rectangle._replace(label=label), problem
    elif "choices" in value:
        yield from ((Kind.KEYWORD, choice, "") for choice in several(value["choices"]))
    elif "taxonomy" in value:
        yield from (
            (Kind.KEYWORD, path[-1:] and path[-1], "") for path in several(value["taxonomy"])
        )
    elif "text" in value:
        problem = OF_REGION if _is_region(value) else ""
        yield from ((Kind.CAPTION, text, problem) for text in several(value["text"]))
    elif _is_region(value):
        yield Kind.BOX, None, "its box has no label"
    else:
        names = type_ or ", ".join(sorted(value)) or "nothing"
        yield Kind.TEXT, None, f"an answer of a kind that is not read: {names}"


def _of_column(column: str, value: Any, unread: Counter[str]) -> Iterator[Found]:
    """Yield what a column of JSON-MIN says."""
    name = column.lower()
    kind = Kind.CAPTION if name in CAPTIONS else Kind.KEYWORD if name in KEYWORDS else Kind.TEXT
    for each in several(value):
        if isinstance(each, dict):
            yield from _of_value(each, "", False, unread)
        elif isinstance(each, str):
            if each.strip():
                yield kind, each, ""
        elif each is not None:
            yield Kind.TEXT, None, f"an answer of a kind that is not read: {column}"


def _parsed(cell: str) -> Any:
    """Return what a cell holds: lists and objects are JSON."""
    if cell[:1] not in "[{":
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _rectangle(value: Task, turned: bool, unread: Counter[str]) -> tuple[Box | None, str]:
    """Return the box of a region, or around it; None of a mask or a point, or with a problem.

    Label Studio measures in hundredths of the picture's sides, and turns a box about its first
    corner.
    """
    if turned:
        return None, "its picture was turned in Label Studio, its file was not"
    known = boxes.size_of(value.get("original_width"), value.get("original_height"))
    across, down = known or FRACTIONS
    shape = _shape(value)
    if shape is None:
        return None, ""
    if not all(map(boxes.is_number, shape)):
        return Box(None, *boxes.NOWHERE), ""
    left, top, width, height = (
        each * side / 100 for each, side in zip(shape, (across, down) * 2, strict=True)
    )
    box = Box(None, left, top, width, height, (across, down))
    degrees = value.get("rotation") or 0
    outlined = "points" in value or "radiusX" in value
    unread["turned"] += bool(outlined or degrees)
    if not degrees:
        return box, ""
    if known is None or not boxes.is_number(degrees):
        return None, "its box is turned, and its picture's size is not given"
    pivot = (left + width / 2, top + height / 2) if outlined else (left, top)
    around = boxes.turned(box, degrees, pivot)
    return (Box(None, *around, box.size) if around else Box(None, *boxes.NOWHERE)), ""


def _shape(value: Task) -> tuple[Any, Any, Any, Any] | None:
    """Return left, top, width, height in hundredths; None where it has none."""
    if "points" in value:
        points = several(value["points"])
        pairs = [tuple(each) for each in points if isinstance(each, list) and len(each) == 2]
        return boxes.around(pairs) if len(pairs) == len(points) else boxes.NOWHERE
    if {"x", "y", "radiusX", "radiusY"} <= value.keys():
        x, y, across, down = (value[name] for name in ("x", "y", "radiusX", "radiusY"))
        if not all(map(boxes.is_number, (x, y, across, down))):
            return boxes.NOWHERE
        return x - across, y - down, 2 * across, 2 * down
    if {"x", "y", "width", "height"} <= value.keys():
        return value["x"], value["y"], value["width"], value["height"]
    return None


def _is_region(value: Task) -> bool:
    return "x" in value or "points" in value or "rle" in value


def _remarks(unread: Counter[str], path: str) -> Iterator[Remark]:
    if unread["turned"]:
        yield Remark(path, TURNED.format(count(unread["turned"], "label")))
    if unread["masks"]:
        yield Remark(path, MASKS.format(count(unread["masks"], "label")))
    if unread["relations"]:
        yield Remark(
            path, f"with relations between labels, which are not read: {unread['relations']:,}"
        )
