"""Parquet and Arrow files as tables of rows: read batch by batch, as Hugging Face writes them.

`datasets` keeps the names of numbered classes, and which columns are pictures, in the schema's
metadata; `save_to_disk` writes Arrow's streams, the Hub has Parquet.
"""

import io
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.decoding import ImageRejected
from labeling.imports import inflation, texts
from labeling.imports.members import Member

PARQUET, ARROW = (".parquet",), (".arrow",)
SUFFIXES = (*PARQUET, *ARROW)
BATCH = 500  # rows of texts that are in memory at once …
PICTURES_BATCH = 8  # … and rows of pictures …
BATCH_BYTES = 512 * 2**20  # … whose values are this large at most together, whatever they are
ROWS_MAX = 10_000_000
HEAD_OF_FILES = b"ARROW1\0\0"
NOT_ONE = "no {} file that can be read: {}"
NO_VALUE = (ValueError, OverflowError, KeyError, pa.ArrowException)  # in Python: a date of year 0
FAULTS = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)

Batches = Callable[[Sequence[str], int], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class Columnar:
    """A table of rows. `batches(columns, rows)` reads some of its columns from the first row on."""

    kind: str
    schema: pa.Schema
    features: dict[str, Any]  # as `datasets` describes the columns; empty: it did not write them
    batches: Batches

    def rows(self, columns: Sequence[str], batch: int = BATCH) -> Iterator[dict[str, Any]]:
        """Yield each row of these columns. Raises `ImageRejected`."""
        count = 0
        for each in self._guarded(columns, batch):
            count += each.num_rows
            if count > ROWS_MAX:
                raise ImageRejected(f"has more than {ROWS_MAX:,} rows: what follows was not read")
            names = each.schema.names
            yield from (
                dict(zip(names, values, strict=True))
                for values in zip(*map(_values, each.columns), strict=True)
            )

    def is_empty(self, column: str) -> bool:
        """Whether no row holds anything in a column: `image.bytes` of a struct `image`."""
        for batch in self._guarded([column], 1):
            (values,) = batch.columns
            if pa.types.is_struct(values.type):
                values = values.field(0)
            if values.null_count < len(values):
                return False
        return True

    def _guarded(self, columns: Sequence[str], batch: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self.batches(columns, batch)
        except FAULTS as error:
            if isinstance(error, ImageRejected):
                raise
            raise ImageRejected(NOT_ONE.format(self.kind, _in_a_line(error))) from error

    def class_names(self) -> dict[str, list[str]]:
        """Return the names of the classes that columns number; `a.b` is within a column `a`."""
        named = {name: _classes(feature) for name, feature in self.features.items()}
        for name, feature in self.features.items():
            inner = feature.get("feature", feature) if isinstance(feature, dict) else None
            if isinstance(inner, dict) and "_type" not in inner:
                named |= {f"{name}.{each}": _classes(value) for each, value in inner.items()}
        return {name: names for name, names in named.items() if names}


def is_columnar(path: str) -> bool:
    """Whether a file is such a table, by its name; caches of `datasets` are none."""
    name = path.rpartition("/")[2].lower()
    return name.endswith(SUFFIXES) and not name.startswith(("cache-", "indices"))


@contextmanager
def opened(member: Member) -> Iterator[Columnar]:
    """Open a member as a table. Raises `ImageRejected`."""
    with seekable(member) as file:
        kind = "Parquet" if member.path.lower().endswith(PARQUET) else "Arrow"
        try:
            table = _parquet(file) if kind == "Parquet" else _arrow(file)
            _check_names(table.schema.names)
        except FAULTS as error:
            if isinstance(error, ImageRejected):
                raise
            raise ImageRejected(NOT_ONE.format(kind, _in_a_line(error))) from error
        yield table


def _check_names(names: Sequence[str]) -> None:
    """Refuse a table of which one column would be read in place of another."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ImageRejected(f"has two columns called {texts.shown(twice)[:100]}: rename one")


@contextmanager
def seekable(member: Member) -> Iterator[IO[bytes]]:
    """Open a member to be read from anywhere: what lies in an archive is copied out first."""
    with member.open() as file:
        if file.seekable():
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy, 2**20)
            copy.seek(0)
            yield copy


class _View(io.RawIOBase):
    """A file with a place of its own, so that several may read it by turns."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._file.seek(self._place)
        data = self._file.read(len(buffer))
        self._place += len(data)
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._place
        elif whence == io.SEEK_END:
            offset += self._file.seek(0, io.SEEK_END)
        self._place = offset
        return self._place

    def tell(self) -> int:
        return self._place


def _parquet(file: IO[bytes]) -> Columnar:
    def batches(columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        again = pq.ParquetFile(_View(file), memory_map=False, pre_buffer=False)
        count = 0
        for batch in again.iter_batches(
            batch_size=max(1, min(rows, BATCH_BYTES // largest)),  # no value is larger
            columns=list(columns),
            use_threads=False,
        ):
            count += batch.num_rows
            yield batch
        if count < (declared := again.metadata.num_rows):
            raise ImageRejected(f"cut off: it declares {declared:,} rows, and holds {count:,}")

    largest = inflation.largest_page(file)
    table = pq.ParquetFile(_View(file), memory_map=False, pre_buffer=False)
    return Columnar("Parquet", table.schema_arrow, _features(table.schema_arrow), batches)


def _arrow(file: IO[bytes]) -> Columnar:
    def batches(columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        for batch in _reader(file):
            batch.validate(full=True)  # offsets that lead out of it end the process
            largest = max(1, batch.get_total_buffer_size())  # no value is, dictionaries included
            count = max(1, min(rows, BATCH_BYTES // largest))
            for begin in range(0, batch.num_rows, count):
                yield _selected(batch.slice(begin, count), columns)

    schema = _reader(file).schema
    return Columnar("Arrow", schema, _features(schema), batches)


def _reader(file: IO[bytes]) -> Any:
    """Return a reader of a stream, as `save_to_disk` writes it, or of the one within a file."""
    file.seek(0)
    begin = len(HEAD_OF_FILES) if file.read(6) == HEAD_OF_FILES[:6] else 0
    inflation.check_buffers(file, begin)
    view = _View(file)
    view.seek(begin)
    return pa.ipc.open_stream(view)


def _selected(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """Return some columns, of which `image.path` is a part of one."""
    arrays = []
    for name in columns:
        whole, _, part = name.partition(".")
        if name in batch.schema.names:
            arrays.append(batch.column(name))
        else:
            arrays.append(batch.column(whole).field(part))
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _values(column: pa.Array) -> list[Any]:
    """Return the values of a column; bytes, which are no text, for one that is none in Python."""
    try:
        return list(column.to_pylist(maps_as_pydicts="strict"))
    except NO_VALUE:
        return [_value(value) for value in column]


def _value(value: Any) -> Any:
    try:
        return value.as_py(maps_as_pydicts="strict")
    except NO_VALUE:
        return b""


def _features(schema: pa.Schema) -> dict[str, Any]:
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return info if isinstance(info, dict) else {}


def _classes(feature: Any) -> list[str]:
    """Return the names of a feature's classes, or of those in its list."""
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        return [str(name) for name in names] if isinstance(names, list) else []
    return _classes(feature.get("feature"))


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
