"""What a cell of a table says: a label, several, or yes and no of several."""

import json
from collections.abc import Iterator
from typing import Any

from labeling.imports.answers.columns import YES_OR_NO

ON = "on"  # how forms call a box that can only be ticked
FIELDS = "label", "choices", "labels"  # in which tools nest what was chosen


def labels(cell: str, name: str, *, alone: bool) -> Iterator[tuple[str, str]]:
    """Yield (label, concept) of a cell; the concept is empty where the label names one.

    name: of its column, which is the concept where it is not alone and the cell is yes or no:
    `Answer.cat` = true; or, as `Answer.animal.cat`, the label that was ticked.
    """
    text = cell.strip()
    if not text:
        return
    parsed = _parsed(text)
    if parsed is not None:
        yield from ((label, "") for label in _nested(parsed))
    elif text.casefold() not in YES_OR_NO or alone:
        yield text, ""
    elif "." in name:
        box, _, option = name.rpartition(".")
        if YES_OR_NO[text.casefold()]:
            yield (box if option == ON else option), ""
    else:
        yield text, name


def _parsed(text: str) -> Any:
    """Return what is written as JSON; None where it is a plain text."""
    if text[0] not in "[{":
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _nested(value: Any) -> Iterator[str]:
    """Yield the labels in a JSON value: what is named, and what is true of several."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _nested(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if each is True:
                yield name
            elif isinstance(each, list | dict) or name in FIELDS:
                yield from _nested(each)
            elif isinstance(each, str) and len(value) == 1:
                yield each
