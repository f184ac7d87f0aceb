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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import compute
from pyarrow import csv as arrow_csv

Codes = npt.NDArray[np.int32]
Cells = list[str]

BLOCK = 1 << 24  # bytes scanned together
LONGEST = csv.field_size_limit()  # characters of a cell
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
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

    def lines(self, rows: Sequence[int]) -> list[int]:
        """Return the lines on which rows (numbered from 0) begin. Slow; meant for messages."""
        starts = {}
        for number, (line, _) in enumerate(_rows(self.path, self.data), -1):
            if number in rows:
                starts[number] = line
        return [starts[row] for row in rows]


def read(path: Path, names: Sequence[str], *, optional: Sequence[str] = ()) -> Table:
    """Read the named columns of a CSV file with a header, in UTF-8 (or UTF-16 with its mark).

    Optional columns may be missing from the header, but not hold empty cells. Other columns are
    ignored, space around cells is dropped, empty lines are skipped. Raises TableError.
    """
    data = _bytes(path)
    zero = data.find(b"\0")
    if zero >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise TableError(f"{path}, line {line}: this is not text (it holds a zero byte).")
    header = next(_rows(path, data), None)
    if header is None:
        raise TableError(f"{path} is empty: it needs a header line with {', '.join(names)}.")
    names = [*names, *(name for name in optional if name in map(str.strip, header[1]))]
    places = _places(path, *header, names)
    columns = _fast(data, [header[1][place] for place in places])
    columns = columns or _careful(path, data, names, places)
    return Table(path, dict(zip(names, columns, strict=True)), data)


def shown(text: str, width: int = 60) -> str:
    """Return text as it may stand within a sentence: on one line, and shortened."""
    plain = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return plain if len(plain) <= width else f"{plain[:width]}…"


def _bytes(path: Path) -> bytes:
    """Return the bytes of the file, recoded to UTF-8 where it is marked as UTF-16."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise TableError(
                f"{path}, line 1: this begins like UTF-16 but is not; save it as UTF-8."
            ) from None
    return data.removeprefix(codecs.BOM_UTF8)


def _fast(data: bytes, names: Sequence[str]) -> tuple[Column, ...] | None:
    """Return the columns as pyarrow reads them; None where the careful reader must decide."""
    if not _well_quoted(data):
        return None
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(data),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=b'"' in data),
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


def _well_quoted(data: bytes) -> bool:
    """Return whether quotes come in pairs around whole cells, and doubled within them."""
    opens = 0
    for start in range(0, len(data), BLOCK):
        block = np.frombuffer(data[max(start - 1, 0) : start + BLOCK + 1], np.uint8)
        quotes = np.flatnonzero(block == ord('"'))
        quotes = quotes[(quotes >= (start > 0)) & (quotes < BLOCK + (start > 0))]
        opening, closing = quotes[opens::2], quotes[1 - opens :: 2]
        before = block[opening - 1][(opening > 0) | (start > 0)]
        after = block[closing[closing + 1 < len(block)] + 1]
        if not (np.isin(before, list(b',\r\n"')).all() and np.isin(after, list(b',\r\n"')).all()):
            return False
        opens ^= len(quotes) % 2
    return not opens


def _column(names: Any, codes: Codes) -> Column:
    """Return cells, given by codes into names (pa.StringArray), without the space around them."""
    names = compute.utf8_trim_whitespace(names)
    distinct = names.unique()
    ids = distinct.take(compute.array_sort_indices(distinct))
    return Column(ids, compute.index_in(names, value_set=ids).to_numpy()[codes])


def _careful(
    path: Path, data: bytes, names: Sequence[str], places: Sequence[int]
) -> tuple[Column, ...]:
    """Return the columns as Python's csv reads them. Raises TableError with the first fault."""
    rows = _rows(path, data)
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


def _rows(path: Path, data: bytes) -> Iterator[tuple[int, Cells]]:
    """Yield (line, cells) of each row that is not empty; a row's line is where it begins."""
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogateescape", newline="")
    reader = csv.reader(text, strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        fault = next((FAULTS[part] for part in FAULTS if part in str(error)), str(error))
        raise TableError(f"{path}, line {line}: this is not CSV ({fault}).") from None


def _places(path: Path, line: int, header: Cells, names: Sequence[str]) -> list[int]:
    """Return the places of the named columns in the header. Raises TableError."""
    header = [cell.strip() for cell in header]
    for name in names:
        if header.count(name) == 1:
            continue
        problem = "appears twice" if name in header else "is missing"
        present = shown(", ".join(header), 200)
        hint = ""
        for separator, word in SEPARATORS.items():
            if any(name in map(str.strip, cell.split(separator)) for cell in header):
                hint = f"; cells are separated by {word}, but must be by commas"
        raise TableError(f"{path}, line {line}: column {name} {problem} (found: {present}){hint}.")
    return [header.index(name) for name in names]


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
    csv.writer(header, lineterminator="\n").writerow(table.column_names)
    file.write(header.getvalue().encode())
    special = any(
        compute.any(compute.match_substring_regex(column, '[",\r\n]')).as_py()
        for column in table.columns
        if pa.types.is_string(column.type)
    )
    style = "needed" if special else "none"
    options = arrow_csv.WriteOptions(include_header=False, quoting_style=style)
    arrow_csv.write_csv(table, file, options)
