"""CSV in UTF-8 as an export holds it."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet takes a text for a formula


class Csv:
    """A table that is written row by row.

    A text that a spreadsheet would take for a formula has an apostrophe before it, as does one that
    begins with an apostrophe: `plain` takes one away again.
    """

    def __init__(self, file: IO[bytes] | Any, columns: Iterable[str]) -> None:
        self._file, self._columns = file, tuple(columns)
        self._line(self._columns)

    def add(self, row: Mapping[str, Any]) -> None:
        self._line(_safe(row[column]) for column in self._columns)

    def _line(self, cells: Iterable[Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        self._file.write(line.getvalue().encode())


def read(file: IO[bytes]) -> Iterator[dict[str, str]]:
    """Yield the rows of a table, as they are in the file, and close it."""
    with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith((*FORMULA, "'")) else cell
