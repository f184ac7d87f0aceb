"""A row that describes a picture, as an object of JSON or a row of a table."""

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from labeling.imports import provenance
from labeling.imports.entries import ClassNumber, Entry, Kind, Readings, Reference, Refusal
from labeling.imports.layouts import columns, objects
from labeling.imports.metadata import GOLD_COLUMN
from labeling.imports.options import DEFAULTS, Column, Options

LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
OF_SNAPSHOTS = {"pair", "n_answers", "source", "generated"}  # columns of each row of one
OF_A_TEXT = ("text", "caption", "raw", "sentence", "value")  # where an object holds one
DIGITS_MAX = 9
DEPTH_MAX = 3  # of lists within lists
LIST_MAX = 100_000  # characters of a list in a cell

Names = Mapping[str, list[str]]  # of classes, by column


class Text(NamedTuple):
    """A text of a row, undecided or not; `group` is its column."""

    kind: Kind
    text: Any
    group: str = ""


def read(
    row: Mapping[str, Any],
    reference: Reference,
    where: str,
    options: Options = DEFAULTS,
    *,
    names: Names | None = None,
) -> Readings:
    """Yield the texts of a row about that picture, or what it holds instead.

    names: of the numbered classes of columns.
    """
    of = provenance.of_row(row)
    roles = {name: columns.role(name, options.columns) for name in row}
    several = [text for name in row for text in _texts(name, row[name], roles[name], names or {})]
    several += [Text(Kind.GOLD, pair) for pair in _gold(row.get(GOLD_COLUMN))]
    several += [Text(Kind.PAIR, True)] * _is_pair(row)
    for text in several:
        value = class_number(text.text, reference) if text.kind is Kind.KEYWORD else None
        stated = text.text if value is None else value
        yield Entry(reference, text.kind, stated, where, of, text.group)
    drawn = objects.of_row(row, names or {})
    for box in drawn or ():
        if box.label is None:
            yield Refusal(where, Kind.BOX, "its box names no category")
        else:
            number = class_number(box.label, reference)
            stated = box if number is None else box._replace(label=number)
            yield Entry(reference, Kind.BOX, stated, where, of)
    known = [name for name in row if name == GOLD_COLUMN or roles[name] in OF_TEXTS]
    if not known and drawn is None:
        yield Refusal(where, Kind.TEXT, unknown(row))


def _is_pair(row: Mapping[str, Any]) -> bool:
    """Whether a row of a snapshot, or of its export, says that a picture shows a pair's halves.

    Others may have a column of the same name that means anything.
    """
    if not row.keys() >= OF_SNAPSHOTS:
        return False
    try:
        return 0 < float(row["pair"]) <= 1
    except (TypeError, ValueError):
        return False


def unknown(names: Mapping[str, Any]) -> str:
    """Say which columns a row has, and which are wanted."""
    others = ", ".join(sorted(name for name in names if not columns.is_file_name(name)))
    return f"found {others or 'nothing'}; {columns.ADVICE}"


OF_TEXTS = {Column.CAPTION, Column.KEYWORDS, Column.LABEL}


def _texts(name: str, value: Any, role: Column | None, names: Names) -> Iterator[Text]:
    """Yield the texts of one field."""
    if _is_missing(value):
        return
    match role:
        case Column.CAPTION:
            yield from (Text(Kind.TEXT, text, name) for text in _values(value))
        case Column.KEYWORDS:
            yield from _keywords(name, value)
        case Column.LABEL if isinstance(value, str) and is_plural(name):
            yield from _keywords(name, value)
        case Column.LABEL:
            yield from (Text(Kind.KEYWORD, _named(each, names.get(name))) for each in _list(value))
        case Column.LICENSE:
            yield Text(Kind.LICENSE, value)


def is_plural(column: str) -> bool:
    """Whether a column of labels holds several: a single one may have commas in it."""
    return column.casefold().endswith(("labels", "classes", "categories"))


def _keywords(name: str, value: Any) -> Iterator[Text]:
    """Yield keywords: of a list each, of a text its parts."""
    if isinstance(value, str) and not isinstance(parsed := _list(value), str) and len(parsed) > 1:
        value = parsed
    if isinstance(value, str):
        yield Text(Kind.TEXT, value, name)
    else:
        yield from (Text(Kind.KEYWORD, each) for each in _list(value) if not _is_missing(each))


def _values(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the texts of a field: one, several, or several by language."""
    inner = _inner(value) if depth < DEPTH_MAX else None
    if inner is not None:
        for each in inner:
            yield from _values(each, depth + 1)
    elif not _is_missing(value):
        yield value  # a text, or what is none


def _inner(value: Any) -> list[Any] | None:
    """Return the values within a list or an object; None: it is one value."""
    if isinstance(value, dict):
        if of_a_text := [value[name] for name in OF_A_TEXT if name in value]:
            return of_a_text[:1]
        if all(LANGUAGE.fullmatch(str(name)) for name in value):
            return list(value.values())
        return None if any(each is not None for each in value.values()) else []
    several = _list(value)
    return None if several == [value] else several


def _list(value: Any) -> list[Any]:
    """Return the values of a field; a cell of a table may hold a list as JSON or Python has it."""
    if isinstance(value, list | tuple):
        return [each for each in value if not _is_missing(each)]
    if isinstance(value, str) and value[:1] == "[" and value[-1:] == "]" and len(value) <= LIST_MAX:
        for parse in (json.loads, ast.literal_eval):
            try:
                parsed = parse(value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(parsed, list) and all(isinstance(each, str) for each in parsed):
                return parsed
    return [value]


def _named(value: Any, names: list[str] | None) -> Any:
    """Return the name of a class; its number where nobody says it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value


def class_number(value: Any, reference: Reference) -> ClassNumber | None:
    """Return a label that is a number, written as one or as digits; None: it is none."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= DIGITS_MAX:
        return ClassNumber(int(value), reference.path)
    if isinstance(value, int) and not isinstance(value, bool):
        return ClassNumber(value, reference.path)
    return None


def _is_missing(value: Any) -> bool:
    """Whether a field holds nothing; pandas writes NaN for that."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _gold(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (name, truth) of a field: {"bird": true, "owl": false}, or ["bird", "-owl"]."""
    if isinstance(value, dict):
        yield from value.items()
        return
    for name in [] if _is_missing(value) else _list(value):
        is_no = isinstance(name, str) and name.startswith("-")
        yield (name[1:] if is_no else name), not is_no
