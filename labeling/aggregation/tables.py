"""Read and write CSV tables, with errors that name file, line and column.

pyarrow reads sound files. Whatever it refuses or might misread is read again by Python's csv
module, which either names the fault or returns the columns.
"""

import codecs
import csv
import io
import os
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from labeling import spreadsheets
from labeling.aggregation import dialects
from labeling.aggregation.dialects import Cells, Dialect, RowError

Codes = npt.NDArray[np.int32]

BLOCK = 1 << 24  # bytes scanned together
LONGEST = csv.field_size_limit()  # characters of a cell
FAULTS = {
    "unexpected end of data": "a quote that opens in this row is never closed",
    "field larger than field limit": f"a cell has more than {LONGEST:,} characters, or a quote is "
    "never closed",
    "expected after": "text follows a closing quote within a cell",
}


class TableError(ValueError):
    """A table cannot be used; the message says what to mend, in one sentence."""


@dataclass(frozen=True)
class Column:
    """N cells as the places (N,) of their ids among the distinct ones, sorted by code point."""

    ids: Any  # pa.StringArray: nothing is taken for a number
    codes: Codes


@dataclass(frozen=True)
class Table:
    """The columns of a file that were asked for."""

    path: Path
    columns: dict[str, Column]  # by name
    data: bytes = field(repr=False)
    dialect: Dialect = field(default_factory=Dialect)

    def lines(self, rows: Sequence[int]) -> list[int]:
        """Return the lines on which rows (numbered from 0) begin. Slow; meant for messages."""
        starts = {}
        for number, (line, _) in enumerate(_rows(self.path, self.data, self.dialect), -1):
            if number in rows:
                starts[number] = line
        return [starts[row] for row in rows]


def read(
    path: Path,
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    also: Mapping[str, str] | None = None,
) -> Table:
    """Read the named columns of a CSV file with a header, in UTF-8 (or UTF-16 with its mark).

    Cells are separated by what the header, or a line `sep=;` before it, has between its names;
    these may be in another case. A column may go by the name that `also` gives it instead. Optional
    columns may be missing from the header, but not hold empty cells. Other columns are ignored,
    space around cells is dropped, rows without any text are skipped, and all is in Unicode's NFC.
    Raises TableError.
    """
    data = load(path)
    also = also or {}
    dialect = dialects.detect(data, {*names, *also.values()})
    header = next(_rows(path, data, dialect), None)
    if header is None:
        raise TableError(f"{path} is empty: it needs a header line with {', '.join(names)}.")
    present = {dialects.key(cell) for cell in header[1]}
    names = [*names, *(name for name in optional if dialects.key(name) in present)]
    found = [
        also[name] if name in also and dialects.key(also[name]) in present else name
        for name in names
    ]
    places = _places(path, *header, found)
    columns = _fast(data, dialect, [header[1][place] for place in places])
    columns = columns or _careful(path, data, dialect, found, places)
    return Table(path, dict(zip(names, columns, strict=True)), data, dialect)


def load(path: Path) -> bytes:
    """Return the bytes of a text in UTF-8, or in UTF-16 with its mark. Raises TableError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from None
    return plain(data, name=str(path))


def plain(data: bytes, *, name: str) -> bytes:
    """Return the bytes of a text in UTF-8, recoded where they are marked as UTF-16.

    Raises TableError where they are no text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise TableError(
                f"{name}, line 1: this begins like UTF-16 but is not; save it as UTF-8."
            ) from None
    if data.startswith(b"PAR1"):
        raise TableError(
            f"{name} is Parquet, not CSV: only answers may be, in files named *.parquet."
        )
    data = data.removeprefix(codecs.BOM_UTF8)
    zero = data.find(b"\0")
    if zero >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise TableError(f"{name}, line {line}: this is not text (it holds a zero byte).")
    return data


def shown(text: str, width: int = 60) -> str:
    """Return text as it may stand within a sentence: on one line, and shortened."""
    plain = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return plain if len(plain) <= width else f"{plain[:width]}…"


def _fast(data: bytes, dialect: Dialect, names: Sequence[str]) -> tuple[Column, ...] | None:
    """Return the columns as pyarrow reads them; None where the careful reader must decide."""
    if not _well_quoted(data, dialect.separator):
        return None
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(data).slice(dialect.start),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.separator, newlines_in_values=b'"' in data
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=names, column_types=dict.fromkeys(names, text)
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    columns = []
    for cells in table.unify_dictionaries().columns:
        cells = cells.combine_chunks()
        columns.append(_column(cells.dictionary, cells.indices.to_numpy()))
    sound = table.num_rows and all(_sound(column.ids) for column in columns)
    return tuple(columns) if sound else None


def _sound(ids: Any) -> bool:
    sizes = compute.min_max(compute.utf8_length(ids)).as_py()
    return bool(sizes["min"] > 0 and sizes["max"] <= LONGEST)


def _well_quoted(data: bytes, separator: str = ",") -> bool:
    """Return whether quotes come in pairs around whole cells, and doubled within them."""
    opens = 0
    around = list(b'\r\n"' + separator.encode())
    for start in range(0, len(data), BLOCK):
        block = np.frombuffer(data[max(start - 1, 0) : start + BLOCK + 1], np.uint8)
        quotes = np.flatnonzero(block == ord('"'))
        quotes = quotes[(quotes >= (start > 0)) & (quotes < BLOCK + (start > 0))]
        opening, closing = quotes[opens::2], quotes[1 - opens :: 2]
        before = block[opening - 1][(opening > 0) | (start > 0)]
        after = block[closing[closing + 1 < len(block)] + 1]
        if not (np.isin(before, around).all() and np.isin(after, around).all()):
            return False
        opens ^= len(quotes) % 2
    return not opens


def _column(names: Any, codes: Codes) -> Column:
    """Return cells, given by codes into names (pa.StringArray), as the texts that they hold."""
    names = compute.utf8_trim_whitespace(names)
    names = compute.replace_substring_regex(names, f"^'({spreadsheets.FORMULA})", r"\1")
    names = compute.utf8_normalize(names, form="NFC")
    distinct = names.unique()
    ids = distinct.take(compute.array_sort_indices(distinct))
    return Column(ids, compute.index_in(names, value_set=ids).to_numpy()[codes])


def _careful(
    path: Path, data: bytes, dialect: Dialect, names: Sequence[str], places: Sequence[int]
) -> tuple[Column, ...]:
    """Return the columns as Python's csv reads them. Raises TableError with the first fault."""
    rows = _rows(path, data, dialect)
    _, header = next(rows)
    codes = [array("i") for _ in names]
    seen: list[dict[str, int]] = [_numbering() for _ in names]
    for line, row in rows:
        if len(row) != len(header):
            cells = "is 1 cell" if len(row) == 1 else f"are {len(row)} cells"
            raise TableError(
                f"{path}, line {line}: there {cells} where the header has {len(header)}."
            )
        for name, place, numbers, column in zip(names, places, seen, codes, strict=True):
            cell = row[place].strip()
            if not cell:
                raise TableError(f"{path}, line {line}, column {name}: the cell is empty.")
            if not _encodable(cell):
                raise TableError(
                    f"{path}, line {line}, column {name}: this is not UTF-8 text; save the file "
                    "as UTF-8."
                )
            column.append(numbers[cell])
    if not codes[0]:
        raise TableError(f"{path} holds a header but no rows.")
    return tuple(
        _column(pa.array(list(numbers), pa.string()), np.asarray(column, np.int32))
        for numbers, column in zip(seen, codes, strict=True)
    )


def _numbering() -> dict[str, int]:
    """Return a dictionary that gives each new key the next number."""
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    return numbers


def _encodable(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _rows(path: Path, data: bytes, dialect: Dialect) -> Iterator[tuple[int, Cells]]:
    """Yield (line, cells) of each row that is not empty. Raises TableError."""
    try:
        yield from dialects.rows(data, dialect)
    except RowError as error:
        raise TableError(f"{path}, line {error.line}: {no_csv(error)}.") from None


def no_csv(error: RowError) -> str:
    """Return why a row is no CSV, in words."""
    fault = next((FAULTS[part] for part in FAULTS if part in str(error)), str(error))
    return f"this is not CSV ({fault})"


def _places(path: Path, line: int, header: Cells, names: Sequence[str]) -> list[int]:
    """Return the places of the named columns in the header. Raises TableError."""
    places = [dialects.place(header, name) for name in names]
    if None in places:
        name = names[places.index(None)]
        twice = dialects.key(name) in map(dialects.key, header)
        present = shown(", ".join(map(str.strip, header)), 200)
        raise TableError(
            f"{path}, line {line}: column {name} {'appears twice' if twice else 'is missing'} "
            f"(found: {present})."
        )
    return [place for place in places if place is not None]


def write_all(tables: Iterable[tuple[Path, Any]]) -> None:
    """Write all tables (pa.Table) or none: each to a draft beside its path, then moved there.

    Raises TableError.
    """
    with ExitStack() as cleanup:
        moves: list[tuple[Path, Path]] = []
        for path, table in tables:
            draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                with draft.open("wb") as file:
                    cleanup.callback(draft.unlink, missing_ok=True)
                    _write(file, table)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise TableError(f"{path} cannot be written: {error.strerror}.") from None
            moves.append((draft, path))
        for draft, path in moves:
            draft.replace(path)


def _write(file: BinaryIO, table: Any) -> None:
    """Write one table, with quotes around text only where a text of the table needs them."""
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(map(spreadsheets.cell, table.column_names))
    file.write(header.getvalue().encode())
    table = pa.table([_cells(column) for column in table.columns], table.column_names)
    special = any(
        compute.any(compute.match_substring_regex(column, '[",\r\n]')).as_py()
        for column in table.columns
        if is_text(column.type)
    )
    style = "needed" if special else "none"
    options = arrow_csv.WriteOptions(include_header=False, quoting_style=style)
    arrow_csv.write_csv(table, file, options)


def _cells(column: Any) -> Any:
    """Return a column (pa.ChunkedArray) as cells that no spreadsheet takes for formulas."""
    if not is_text(column.type):
        return column
    if not compute.any(compute.match_substring_regex(column, f"^{spreadsheets.FORMULA}")).as_py():
        return column
    return pa.chunked_array([pa.array(map(spreadsheets.cell, column.to_pylist()), column.type)])


def is_text(kind: Any) -> bool:
    """Return whether values of a type of Arrow's are texts."""
    is_a = pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view
    return any(each(kind) for each in is_a)
