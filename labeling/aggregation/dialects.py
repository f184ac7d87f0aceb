"""How a table is written: which separator is between its cells, and where its header begins."""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

Cells = list[str]

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
HEADER_MAX = 1 << 20  # bytes in which a header ends
_STATED = re.compile(rb"sep=([^\r\n])[ \t]*(?:\r\n|\r|\n)", re.IGNORECASE)  # as Excel writes it


@dataclass(frozen=True)
class Dialect:
    """The separator of a table's cells, and the byte at which its header begins."""

    separator: str = ","
    start: int = 0
    lines_before: int = 0

    @property
    def word(self) -> str:
        """What its cells are separated by, in words."""
        return SEPARATORS.get(self.separator, repr(self.separator))


def detect(data: bytes, names: Collection[str] = ()) -> Dialect:
    """Return how a table of UTF-8 is written.

    A first line `sep=;` says so. Else it is the separator by which the header has all these names,
    else most of them, else most cells.
    """
    if stated := _STATED.match(data):
        separator = stated[1].decode("latin-1")
        if separator in SEPARATORS:
            return Dialect(separator, stated.end(), 1)
    wanted = {key(name) for name in names}
    best, merit = Dialect(), (-1, -1)
    for separator in SEPARATORS:
        dialect = Dialect(separator)
        header = _header(data[:HEADER_MAX], dialect)
        found = len(wanted & set(map(key, header)))
        if (found, len(header)) > merit:
            best, merit = dialect, (found, len(header))
    return best


def _header(data: bytes, dialect: Dialect) -> Cells:
    try:
        return next(rows(data, dialect, strict=False), (0, []))[1]
    except RowError:
        return []


def key(name: str) -> str:
    """Return what the names of columns are compared by: no case, no space around them."""
    return name.strip().casefold()


def place(header: Sequence[str], name: str) -> int | None:
    """Return the place of a column in a header; None where it is not there, or not just once."""
    exact = [at for at, cell in enumerate(header) if cell.strip() == name]
    alike = exact or [at for at, cell in enumerate(header) if key(cell) == key(name)]
    return alike[0] if len(alike) == 1 else None


def rows(data: bytes, dialect: Dialect, *, strict: bool = True) -> Iterator[tuple[int, Cells]]:
    """Yield (line, cells) of each row that is not empty; a row's line is where it begins.

    Bytes that are no UTF-8 become surrogates. Raises `RowError` where strict, and it is no CSV.
    """
    body = io.BytesIO(data)
    body.seek(dialect.start)
    text = io.TextIOWrapper(body, "utf-8", "surrogateescape", newline="")
    reader = csv.reader(text, delimiter=dialect.separator, strict=strict)
    line = 1
    try:
        for row in reader:
            if any(map(str.strip, row)):
                yield line + dialect.lines_before, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise RowError(line + dialect.lines_before, str(error)) from None


class RowError(ValueError):
    """From this line on a table is no CSV; the message is Python's."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line
