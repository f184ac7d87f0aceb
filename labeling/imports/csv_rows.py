"""Rows of a table of commas, tabs, semicolons or bars; one that is wrong spoils no other."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from labeling.imports import lines
from labeling.imports.lines import Line

DELIMITERS = ",\t;|"
SUFFIXES = "png|jpe?g|webp|gif|bmp|tiff?"
# A line of a table without a header: a picture's name, perhaps with a caption's number, and more.
LISTED = re.compile(rf'"?[^\t|"]+?\.(?:{SUFFIXES})(?:#\d+)?"? *([\t,;|])\s*\S', re.IGNORECASE)
SEPARATOR = re.compile(r'"?sep=(?P<separator>[,\t;|])"?\s*', re.IGNORECASE)  # Excel's own line
UNCLOSED = (
    "a quotation mark without its other one: the lines after it were read as rows of their own"
)


class Row(NamedTuple):
    """The cells of a row, or why a line or a row cannot be read."""

    number: int  # of its first line, from 1
    cells: list[str]
    problem: str = ""


def read(file: BinaryIO, path: str, encoding: str = "") -> Iterator[Row]:
    """Yield each row of a table, the header first.

    path: whose ending may tell what stands between cells. encoding: of what is not UTF-8. Where a
    quotation mark is missing, the lines up to the next one are no text: each is read again.
    """
    source = _Source(file, encoding)
    separator = source.delimiter(path)
    table = csv.reader(source, delimiter=separator)
    while True:
        source.of_row.clear()
        problem, cells = "", list[str]()
        try:
            cells = next(table)
        except StopIteration:
            break
        except csv.Error as error:
            problem = f"no row of a table: {error}"
        number = source.of_row[0].number
        if len(source.of_row) > 1 and (problem or not _is_closed(source.of_row, separator)):
            source.read_again()
            problem = UNCLOSED
        yield from source.take_problems()
        yield Row(number, [] if problem else [cell.strip() for cell in cells], problem)
    yield from source.take_problems()


def delimiter(line: str, path: str = "") -> str:
    """Return what stands between the cells of a table, by its first line."""
    if path.lower().endswith(".tsv"):
        return "\t"
    if listed := LISTED.match(line):
        return listed[1]
    plain = re.sub('"[^"]*"', "", line)
    return max(DELIMITERS, key=plain.count)


class _Source:
    """The lines of a table; those that cannot be read are put aside."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self.of_row: list[Line] = []  # those of the row that is being read
        self._again: deque[Line] = deque()  # that are to be read again
        self._lines = lines.numbered(file, encoding)
        self._problems: list[Row] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def delimiter(self, path: str) -> str:
        """Return what stands between cells; the first line stays to be read if it holds cells."""
        first = next(self, "")
        if declared := SEPARATOR.fullmatch(first):
            return declared["separator"]
        self._again.extend(self.of_row)
        return delimiter(first, path)

    def read_again(self) -> None:
        """Have the lines of the row read again, but for the first."""
        self._again.extendleft(reversed(self.of_row[1:]))

    def __next__(self) -> str:
        while line := self._again.popleft() if self._again else next(self._lines, None):
            if not line.problem:
                self.of_row.append(line)
                return line.text
            self._problems.append(Row(line.number, [], line.problem))
        raise StopIteration

    def take_problems(self) -> list[Row]:
        """Return what was wrong with lines since the last call."""
        problems, self._problems = self._problems, []
        return problems


def _is_closed(row: Sequence[Line], separator: str) -> bool:
    """Whether the quotation marks in the lines of a row enclose whole cells."""
    try:
        next(csv.reader((line.text for line in row), delimiter=separator, strict=True))
    except csv.Error:
        return False
    return True
