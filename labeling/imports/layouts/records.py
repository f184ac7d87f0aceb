"""Records that other tools write, one a picture, as a JSON list or as JSON lines."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from labeling.imports.entries import Entry, Reading, Readings
from labeling.imports.layouts import argilla, doccano, label_studio
from labeling.imports.members import Rejection

FIRST = 20  # records that are looked at to tell the tool

Record = dict[str, Any]


class Tool(NamedTuple):
    """A tool whose records are read; each comes with where it was read."""

    name: str
    is_record: Callable[[Record], bool]
    read: Callable[[Iterable[tuple[str, Record]], str], Readings]


LABEL_STUDIO_ROWS = Tool("Label Studio's rows", label_studio.is_row, label_studio.read_rows)
TOOLS = (
    Tool("Label Studio", label_studio.is_task, label_studio.read),
    LABEL_STUDIO_ROWS,
    Tool("Argilla", argilla.is_record, argilla.read),
    Tool("doccano", doccano.is_record, doccano.read),
)


def tool_of(records: Sequence[object]) -> Tool | None:
    """Return the tool that wrote all of the first records; None: none that is known."""
    first = records[:FIRST]
    for tool in TOOLS:
        if first and all(isinstance(each, dict) and tool.is_record(each) for each in first):
            return tool
    return None


def read(tool: Tool, document: object, path: str) -> Readings:
    """Read a record, or a list of them; what is no object is rejected."""
    yield from read_each(tool, document if isinstance(document, list) else [document], path)


def read_each(tool: Tool, several: Iterable[object], path: str) -> Readings:
    """Read records, one after another; what is no object is rejected."""
    places = ((f"{path}, record {number}", each) for number, each in enumerate(several, start=1))
    objects = (
        (where, each if isinstance(each, dict) else Rejection(where, "no object of JSON"))
        for where, each in places
    )
    yield from read_by(tool, objects, path)


def read_by(tool: Tool, records: Iterable[tuple[str, Record | Rejection]], path: str) -> Readings:
    """Read the records of a tool, one after another, and pass on what is wrong with others."""
    wrong: list[Rejection] = []
    for reading in tool.read(_sorted_out(records, wrong), path):
        yield by_name(reading, tool.name)
        yield from wrong
        wrong.clear()
    yield from wrong


def by_name(reading: Reading, name: str) -> Reading:
    """Return what was read, with the name of the tool that wrote it as its layout."""
    if not isinstance(reading, Entry):
        return reading
    return reading._replace(provenance=reading.provenance._replace(layout=name))


def _sorted_out(
    records: Iterable[tuple[str, Record | Rejection]], wrong: list[Rejection]
) -> Iterator[tuple[str, Record]]:
    """Yield the objects; put aside what is none."""
    for where, record in records:
        if isinstance(record, Rejection):
            wrong.append(record)
        else:
            yield where, record
