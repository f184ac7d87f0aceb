"""Tables with a row for each picture: JSON lines, CSV and TSV, of any name.

Hugging Face's imagefolder has them as `metadata.jsonl`, `.csv` or `.parquet` beside or above the
pictures, which they name by their paths from there. Other tables, as Flickr8k's `captions.txt`,
name pictures by the end of their paths or by their names. All are read row by row.
"""

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any
from urllib.parse import urlsplit

from labeling.decoding import ImageRejected
from labeling.imports import csv_rows, lines, texts
from labeling.imports.entries import (
    By,
    Columns,
    Entry,
    Kind,
    Layout,
    Readings,
    Reference,
    Refusal,
)
from labeling.imports.layouts import columns, label_studio, records, rows
from labeling.imports.layouts.rows import Names
from labeling.imports.members import Member, Rejection
from labeling.imports.options import Column, Options
from labeling.imports.paths import folder_of, inside, normal, stem

METADATA = "metadata."
KEY = "key"  # the column of a table beside a shard that names a picture in it
PICTURE = re.compile(rf".+\.(?:{csv_rows.SUFFIXES})", re.IGNORECASE)
NUMBER = re.compile(r"#\d+$")  # of a caption, behind its picture's name in Flickr8k
NO_PICTURE = "names no picture: wanted file_name, path or image, or choose a column (picture=…)"
FOUND_MAX = 200  # characters of the columns that are named
QUOTE = "put quotation marks around texts that hold its separator"
NO_HEADER = ["file_name", "text"]
NO_FILE_NAME = "names no file in `file_name`"


def reference(name: Any, path: str, *, strict: bool) -> Reference | Refusal | None:
    """Return the picture that a row of the table at `path` names; None: it names none.

    strict: by its path from the table on, or by its file name in the folders below the table.
    """
    if isinstance(name, list) and len(name) == 1:
        (name,) = name
    if isinstance(name, list) and len(name) > 1:
        return Refusal("", Kind.TEXT, f"names {len(name):,} pictures in one row")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name.strip():
        return None
    plain = urlsplit(name).path if re.match(r"(?:https?|file)://", name) else name
    found = inside(folder_of(path), plain)
    if found is None and strict:
        return Refusal("", Kind.TEXT, f"names {name}, which lies outside of the source")
    whole = normal(plain).lstrip("/")
    if strict:
        return Reference(found or whole, By.PATH if "/" in whole else By.BELOW)
    if PICTURE.fullmatch(whole):
        return Reference(found or whole, By.END)
    return Reference(found or whole, By.NAME)


def read_row(
    row: dict[str, Any],
    path: str,
    where: str,
    options: Options,
    *,
    strict: bool,
    names: Names | None = None,
) -> Readings:
    """Yield what a row of the table at `path` says of the picture that it names."""
    if is_of_img2dataset(row):
        yield from _downloaded(row, path, where, options)
        return
    column = columns.picture(row, options.columns)
    if strict and Column.PICTURE not in options.columns:
        column = next((name for name in row if columns.is_file_name(name)), None)
    found = reference(row[column], path, strict=strict) if column is not None else None
    if column is None and not strict and isinstance(row.get(KEY), str):
        found = _in_shard(row[KEY], path)
    if found is None:
        columns_found = ", ".join(map(str, row))[:FOUND_MAX] or "no column"
        yield Rejection(where, NO_FILE_NAME if strict else f"found {columns_found}; {NO_PICTURE}")
    elif isinstance(found, Refusal):
        yield found._replace(where=where)
    else:
        others = {name: value for name, value in row.items() if name != column}
        yield from rows.read(others, found, where, options, names=names)


def is_of_img2dataset(row: dict[str, Any]) -> bool:
    """Whether a row is one of img2dataset's, beside a shard."""
    return {"key", "status", "url"} <= row.keys()


def _downloaded(row: dict[str, Any], path: str, where: str, options: Options) -> Readings:
    """Read a row of img2dataset about `00000/000000000.jpg`, beside `00000.parquet`."""
    found = _in_shard(row[KEY], path)
    for reading in rows.read(row, found, where, options):
        if row["status"] == "success" or not isinstance(reading, Entry):
            yield reading
        else:
            status = f"{row['status']}: {row.get('error_message') or 'no reason is said'}"
            yield Refusal(where, reading.kind, f"its picture was not downloaded ({status})")


def _in_shard(key: Any, path: str) -> Reference:
    """Return the picture of a key in the shard of the table's name: `00000.tar`, beside it."""
    return Reference(f"{stem(path)}/{key}", By.NAME)


def is_metadata(path: str) -> bool:
    """Whether a table is Hugging Face's of an imagefolder, by its name."""
    return path.rpartition("/")[2].lower().startswith(METADATA)


def read_json_lines(member: Member, options: Options) -> Readings:
    """Read an object a line, as a tool's record or a row; one that is wrong spoils no other."""
    objects = _objects(member, options)
    first = list(islice(objects, records.FIRST))
    rows_of_first = [each for _, each in first if isinstance(each, dict)]
    of_folder = is_metadata(member.path)
    strict = of_folder and any(map(columns.is_file_name, chain(*rows_of_first)))
    if not of_folder and (tool := records.tool_of(rows_of_first)):
        yield from records.read_by(tool, chain(first, objects), member.path)
        return
    yield Columns(tuple(dict.fromkeys(chain(*rows_of_first))))
    for where, row in chain(first, objects):
        if isinstance(row, Rejection):
            yield row
        else:
            yield from read_row(row, member.path, where, options, strict=strict)


def _objects(member: Member, options: Options) -> Iterator[tuple[str, dict[str, Any] | Rejection]]:
    """Yield where each line is, with its object, or with what is wrong."""
    for line in lines.numbered(member.open(), options.encoding):
        where = f"{member.path}, line {line.number}"
        if line.problem:
            yield where, Rejection(where, line.problem)
        elif line.text.strip():
            try:
                row = texts.parsed(line.text)
            except ImageRejected as error:
                yield where, Rejection(where, str(error))
                continue
            if isinstance(row, dict):
                yield where, row
            else:
                yield where, Rejection(where, "no object of JSON")


def read_csv(member: Member, options: Options) -> Readings:
    """Read a table with a header; or without one, where its first row names a picture."""
    header: list[str] = []
    of_label_studio: list[tuple[str, dict[str, Any]]] = []
    for number, cells, problem in csv_rows.read(member.open(), member.path, options.encoding):
        where = f"{member.path}, line {number}"
        if problem:
            yield Rejection(where, problem)
        elif set(header) >= label_studio.OF_ROWS and len(cells) == len(header):
            of_label_studio.append((where, label_studio.of_cells(header, cells)))
        elif header and any(cells):
            yield from _row(header, cells, member.path, where, options)
        elif cells and PICTURE.fullmatch(NUMBER.sub("", cells[0])):
            header = NO_HEADER
            yield from _row(header, cells, member.path, where, options)
        elif any(cells):
            header = _unique(cells)
            yield Columns(tuple(header))
    if of_label_studio:
        yield from records.read_by(records.LABEL_STUDIO_ROWS, of_label_studio, member.path)


def _row(header: list[str], cells: list[str], path: str, where: str, options: Options) -> Readings:
    if header is NO_HEADER:
        cells = [NUMBER.sub("", cells[0]), ", ".join(cells[1:])]
    if len(cells) > len(header):
        yield Rejection(where, f"has {len(cells):,} cells, and the header {len(header):,}: {QUOTE}")
        return
    row = dict(zip(header, cells, strict=False))
    strict = is_metadata(path) and any(map(columns.is_file_name, header))
    yield from read_row(row, path, where, options, strict=strict)


def _unique(cells: list[str]) -> list[str]:
    """Return the names of columns; the second of a name gets a number, or a text would be lost."""
    names: list[str] = []
    for cell in cells:
        again = sum(name.partition("#")[0] == cell for name in names)
        names.append(f"{cell}#{again}" if again else cell)
    return names


def is_listed(line: str) -> bool:
    """Whether a line of a text is a row of a table without a header: `a.jpg#0<TAB>a dog`."""
    return csv_rows.LISTED.match(line) is not None


def has_header(line: str) -> bool:
    """Whether a line names columns: one of pictures, and one of texts."""
    names = [cell.strip() for cell in line.split(csv_rows.delimiter(line))]
    has_texts = any(columns.role(name, {}) in rows.OF_TEXTS for name in names)
    return len(names) > 1 and has_texts and columns.picture(names, {}) is not None


JSON_LINES = Layout("JSON lines", read_json_lines, suffixes=(".jsonl", ".ndjson"))
CSV = Layout("table", read_csv, suffixes=(".csv", ".tsv"))
