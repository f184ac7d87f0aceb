"""Argilla's records: fields, and to each question responses of people and a suggestion.

They are written as nested records, or flattened, with columns such as `label.responses`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from labeling.imports.entries import Entry, Kind, Readings, Refusal
from labeling.imports.layouts import addresses
from labeling.imports.layouts.label_studio import SEVERAL
from labeling.imports.layouts.values import CAPTIONS, KEYWORDS, dicts, others

SUGGESTED = "a suggestion, which nobody has confirmed"
DISCARDED = "its response was discarded, or not submitted"
NO_PICTURE = "its record names no picture: one that is embedded is not read"
UNREAD = "an answer of a kind that is not read"
FLAT = ".responses", ".suggestion"
SUBMITTED = "submitted", None
UNCLEAR = "unclear"  # whose status cannot be read

Record = dict[str, Any]
Response = tuple[Any, str, Any]  # value, who gave it, status


def is_record(record: Record) -> bool:
    """Whether it is a record of Argilla."""
    nested = isinstance(record.get("fields"), dict) and bool(
        {"responses", "suggestions"} & record.keys()
    )
    return nested or any(isinstance(key, str) and key.endswith(FLAT) for key in record)


def read(records: Iterable[tuple[str, Record]], path: str) -> Readings:
    """Read the submitted responses of one person to each record."""
    for where, record in records:
        fields = record.get("fields") if isinstance(record.get("fields"), dict) else record
        named = addresses.of_row(fields or {})
        reference = addresses.reference(named[1]) if named else None
        responses = _flat(record) if "fields" not in record else _nested(record)
        people = {
            who for given in responses.values() for _, who, status in given if status in SUBMITTED
        }
        for question, given in responses.items():
            for value, _, status in given:
                problem = SEVERAL if len(people) > 1 else "" if status in SUBMITTED else DISCARDED
                for kind, text, own in _texts(question, value):
                    if reference is None or problem or own:
                        yield Refusal(where, kind, problem or own or NO_PICTURE)
                    else:
                        yield Entry(reference, kind, text, where, group=question)
        for question, value in _suggestions(record):
            yield from (Refusal(where, kind, SUGGESTED) for kind, *_ in _texts(question, value))


def _nested(record: Record) -> dict[str, list[Response]]:
    """Return the responses to each question: lists by question, or dicts of one person each."""
    responses: dict[str, list[Response]] = {}
    given = record.get("responses")
    if isinstance(given, dict):
        for question, answers in given.items():
            for each in dicts(answers):
                row = each.get("value"), str(each.get("user_id")), each.get("status")
                responses.setdefault(question, []).append(row)
            for other in others(answers):
                responses.setdefault(question, []).append((other, "", UNCLEAR))
    for other in others(given) if not isinstance(given, dict) else ():
        responses.setdefault("", []).append((other, "", UNCLEAR))
    for each in dicts(given) if isinstance(given, list) else ():
        values = each.get("values")
        for question, value in values.items() if isinstance(values, dict) else ():
            plain = value.get("value") if isinstance(value, dict) else value
            row = plain, str(each.get("user_id")), each.get("status")
            responses.setdefault(question, []).append(row)
    return responses


def _flat(record: Record) -> dict[str, list[Response]]:
    responses: dict[str, list[Response]] = {}
    for column, values in record.items():
        question, dot, last = column.rpartition(".")
        if not dot or last != "responses" or values is None:
            continue
        if not isinstance(values, list):
            responses[question] = [(values, "", UNCLEAR)]
            continue
        users, states = (
            _column(record, f"{column}.{name}", values) for name in ("users", "status")
        )
        responses[question] = [
            (value, str(who), state)
            for value, who, state in zip(values, users, states, strict=True)
        ]
    return responses


def _column(record: Record, name: str, values: list[Any]) -> list[Any]:
    column = record.get(name)
    return (
        column if isinstance(column, list) and len(column) == len(values) else [None] * len(values)
    )


def _suggestions(record: Record) -> Iterator[tuple[str, Any]]:
    nested = record.get("suggestions")
    if isinstance(nested, dict):
        for question, each in nested.items():
            yield question, each.get("value") if isinstance(each, dict) else each
    for each in dicts(nested) if isinstance(nested, list) else ():
        yield str(each.get("question_name", "")), each.get("value")
    for column, value in record.items():
        if column.endswith(".suggestion") and value is not None:
            yield column.rpartition(".")[0], value


def _texts(question: str, value: Any) -> Iterator[tuple[Kind, Any, str]]:
    """Yield the texts of an answer: labels of a list, or one text."""
    name = question.lower()
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        yield from ((Kind.KEYWORD, each, "") for each in value)
    elif isinstance(value, str):
        kind = Kind.CAPTION if name in CAPTIONS else Kind.KEYWORD if name in KEYWORDS else Kind.TEXT
        yield kind, value, ""
    elif value is not None:
        yield Kind.TEXT, None, f"{UNREAD}: {question}"
