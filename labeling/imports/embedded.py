"""Pictures within the rows of a Parquet or Arrow file, as members of the source.

They lie in a folder of the file's name, under the names that the rows give them, else under the
number of their row.
"""

import io
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from labeling.decoding import ImageRejected
from labeling.imports import columnar
from labeling.imports.columnar import PICTURES_BATCH, Columnar
from labeling.imports.members import Member, Rejection, path_problem
from labeling.imports.options import DEFAULTS, Column, Options
from labeling.imports.paths import normal, stem

NAMES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "imagebytes", "bytes")
ABSOLUTE = re.compile(r"/|[a-zA-Z]:|\w+://")
NO_BYTES = "its row holds no picture"
GONE = "its table was read further before it"


class Pictures(NamedTuple):
    """A column of pictures."""

    column: str
    bytes: str  # the column, or the part of it, that holds the bytes …
    path: str  # … and the one that holds the name; empty: nothing does
    external: bool = False  # whether it holds names alone, of files that lie elsewhere


def find(table: Columnar, options: Options = DEFAULTS) -> tuple[Pictures | None, list[str]]:
    """Return the column of pictures, and the others that hold pictures, too."""
    several = [pictures for name in table.schema.names if (pictures := _pictures(table, name))]
    wanted = options.columns.get(Column.PICTURE)
    several.sort(key=lambda each: (each.column != wanted, _rank(each.column)))
    return (several[0] if several else None), [each.column for each in several[1:]]


def expand(
    members: Iterator[Member | Rejection], options: Options = DEFAULTS
) -> Iterator[Member | Rejection]:
    """Yield the members, and after each table the pictures in it; read each before the next."""
    for member in members:
        yield member
        if isinstance(member, Member) and columnar.is_columnar(member.path):
            yield from _members(member, options)


def paths(member_path: str, names: Iterator[Any]) -> Iterator[str]:
    """Yield the path of each row's picture, in the order of the rows."""
    folder, used = stem(member_path), set[str]()
    for number, name in enumerate(names):
        plain = _plain(name)
        if not plain or plain in used:
            plain = f"{number:07d}{'-' + plain.rpartition('/')[2] if plain else ''}"
        used.add(plain)
        yield f"{folder}/{plain}"


def names(table: Columnar, pictures: Pictures) -> Iterator[Any]:
    """Yield the name that each row gives its picture; None: it gives it none."""
    column = pictures.path or _plain_column(table) or pictures.bytes
    for row in table.rows([column]):
        yield path_of(row, pictures)


def path_of(row: Mapping[str, Any], pictures: Pictures) -> Any:
    """Return the name that a row gives its picture; None: it gives it none."""
    if not pictures.path:
        return None
    value = row.get(pictures.path, row.get(pictures.column))
    return value.get("path") if isinstance(value, dict) else value


def _members(member: Member, options: Options) -> Iterator[Member | Rejection]:
    is_open = False
    try:
        with columnar.opened(member) as table:
            is_open = True
            yield from _of_table(member, table, options)
    except ImageRejected as error:
        if is_open:  # what cannot be opened, its layout says
            yield Rejection(f"{member.path}, pictures", str(error))


def _of_table(member: Member, table: Columnar, options: Options) -> Iterator[Member | Rejection]:
    pictures, others = find(table, options)
    if pictures is None or pictures.external:
        return
    for column in others:
        advice = f"choose it in place of {pictures.column} (--columns picture={column})"
        yield Rejection(f"{member.path}, column {column}", f"holds pictures, too: {advice}")
    data = _Data(table, pictures)
    for number, path in enumerate(paths(member.path, names(table, pictures))):
        if reason := path_problem(path):
            yield Rejection(path, reason)
        else:
            yield Member(path, 0, partial(data.open, number))


class _Data:
    """The bytes of pictures, row by row; nothing is read before the first is opened."""

    def __init__(self, table: Columnar, pictures: Pictures) -> None:
        self._rows = table.rows([pictures.bytes], PICTURES_BATCH)
        self._number = -1
        self._bytes: Any = None

    def open(self, number: int) -> BinaryIO:
        """Return the bytes of that row's picture, which must not lie before the last one's."""
        if number < self._number:
            raise ImageRejected(GONE)
        while self._number < number:
            row = next(self._rows, None)
            if row is None:
                raise ImageRejected(NO_BYTES)
            self._number += 1
            (value,) = row.values()
            self._bytes = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(self._bytes, bytes) or not self._bytes:
            raise ImageRejected(NO_BYTES)
        return io.BytesIO(self._bytes)


def _plain(name: Any) -> str:
    """Return the name of a picture as a path that leaves no folder; empty: there is none."""
    if not isinstance(name, str):
        return ""
    plain = normal(name.strip())
    leads_out = ABSOLUTE.match(plain) or ".." in plain.split("/")
    return plain.rpartition("/")[2] if leads_out else plain.removeprefix("./")


def _plain_column(table: Columnar) -> str | None:
    """Return a column that is quick to read, by which rows are counted."""
    primitive = (each.name for each in table.schema if pa.types.is_primitive(each.type))
    return next(primitive, None)


def _pictures(table: Columnar, name: str) -> Pictures | None:
    """Return how a column holds pictures; None: it does not."""
    kind = table.schema.field(name).type
    if pa.types.is_struct(kind):
        parts = {kind.field(number).name: kind.field(number).type for number in range(len(kind))}
        if _is_binary(parts.get("bytes")):
            path = f"{name}.path" if "path" in parts else ""
            return Pictures(name, f"{name}.bytes", path, table.is_empty(f"{name}.bytes"))
        return None
    is_image = table.features.get(name, {}).get("_type") == "Image"
    if _is_binary(kind) and (is_image or _rank(name) < len(NAMES)):
        return Pictures(name, name, "")
    return None


def _is_binary(kind: Any) -> bool:
    return kind is not None and (
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _rank(column: str) -> int:
    plain = re.sub(r"[\W_]+", "", column.casefold())
    return NAMES.index(plain) if plain in NAMES else len(NAMES)
