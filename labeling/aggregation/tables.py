"""CSV tables in and out, with errors that name file, line and column."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

Row = Sequence[str | int]


class TableError(ValueError):
    """What is wrong with a table, in one sentence for the one who wrote it."""


def read_columns(path: Path, names: Sequence[str]) -> tuple[list[list[str]], list[int]]:
    """The named columns of a UTF-8 CSV file with a header, and the line of each row.

    More columns are allowed, space around cells is dropped, blank lines are skipped. Raises
    TableError.
    """
    rows = _rows(path)
    header = next(rows, None)
    if header is None:
        raise TableError(f"{path} is empty: it needs a header line with {', '.join(names)}.")
    places = _places(path, *header, names)
    columns: list[list[str]] = [[] for _ in names]
    lines: list[int] = []
    for line, row in rows:
        if len(row) != len(header[1]):
            raise TableError(
                f"{path}, line {line}: there are {len(row)} cells where the header has "
                f"{len(header[1])}."
            )
        for name, place, column in zip(names, places, columns, strict=True):
            if not row[place]:
                raise TableError(f"{path}, line {line}, column {name}: the cell is empty.")
            column.append(row[place])
        lines.append(line)
    if not lines:
        raise TableError(f"{path} holds a header but no rows.")
    return columns, lines


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row that is not blank; a row's line is where it begins."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"{path}, line {line}: this is not CSV ({error}).") from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{path}, line {line}: this is not UTF-8 text; save it as UTF-8."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TableError(f"{path}, line {line}: this is not text (it holds a zero byte).")
    return text


def _places(path: Path, line: int, header: list[str], names: Sequence[str]) -> list[int]:
    for name in names:
        if header.count(name) != 1:
            problem = "is missing" if name not in header else "appears twice"
            found = ", ".join(header)
            raise TableError(f"{path}, line {line}: column {name} {problem} (found: {found}).")
    return [header.index(name) for name in names]


def write_all(tables: Iterable[tuple[Path, Iterable[Row]]]) -> None:
    """Write every table whole, or none: each beside its place first, then all moved there.

    Raises TableError.
    """
    with ExitStack() as cleanup:
        moves: list[tuple[Path, Path]] = []
        for path, rows in tables:
            draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                with draft.open("w", newline="", encoding="utf-8") as file:
                    cleanup.callback(draft.unlink, missing_ok=True)
                    csv.writer(file, lineterminator="\n").writerows(rows)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise TableError(f"{path} cannot be written: {error.strerror}.") from None
            moves.append((draft, path))
        for draft, path in moves:
            draft.replace(path)
