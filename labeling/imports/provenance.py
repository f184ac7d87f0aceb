"""Where a text comes from, as its source says it: for a row of a table, or one file."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from labeling.imports import texts

LIMITS = {"url": 1_000, "license": 200, "date": 40, "vendor": 200}  # characters
LAYOUT_LENGTH, FILE_LENGTH = 60, 300


class Provenance(NamedTuple):
    """Where a text comes from; an empty field: its source does not say it.

    A layout gives the first four; the layout's name and the file are added where it is read. The
    file is empty where it is named as the picture is.
    """

    url: str = ""
    license: str = ""
    date: str = ""  # as it is written
    vendor: str = ""
    layout: str = ""
    file: str = ""


UNSAID = Provenance()


def of_row(row: Mapping[str, Any]) -> Provenance:
    """Return what the columns `url`, `license`, `date` and `vendor` of a row say."""
    columns = {name: _text(row[name]) for name in LIMITS if row.get(name) not in (None, "")}
    return Provenance(**columns) if columns else UNSAID


def checked(provenance: Provenance) -> tuple[Provenance, list[str]]:
    """Return what can be kept, with single spaces, and why other fields are left out."""
    if not any(provenance[: len(LIMITS)]):
        return provenance, []
    cleaned: dict[str, str] = {}
    problems = []
    for name, longest in LIMITS.items():
        text = texts.cleaned(getattr(provenance, name))
        if text and (problem := texts.problem(text, name, longest)):
            problems.append(problem)
        elif text:
            cleaned[name] = text
    kept = Provenance(**cleaned, layout=provenance.layout, file=provenance.file)
    return kept, problems


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
