"""Refuse tables that inflate beyond measure, by what they declare, before any of it is read.

pyarrow takes as much memory as the header of a Parquet page, or of a compressed buffer of Arrow,
says that it inflates to: 2 kB of Brotli may be a value of a gigabyte. So the headers are gone
through first, in the places where pyarrow reads them: Parquet's are Thrift's compact protocol,
Arrow's are flatbuffers.
"""

import struct
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, NoReturn

from labeling.decoding import ImageRejected
from labeling.imports.members import INFLATION_MAX

FREE = 64 * 2**20  # bytes to which a page or a batch may inflate, however small it is in the file
VALUES_MAX = 10_000_000  # of a page
HEADER_SIZES = (4 * 2**10, 2**18, 2**24)  # bytes of a page's header that are read, until it fits
FOOTER_MAX = 2**27  # bytes
DEPTH_MAX = 32
BOMB = "it inflates to {:,} bytes from {:,}: no honest table does"
DAMAGED = "its headers are damaged"
_FAULTS = (struct.error, IndexError, KeyError, TypeError, ValueError, OverflowError)
Struct = dict[int, Any]  # by the numbers of the fields


class Page(NamedTuple):
    """What the header of a Parquet page declares."""

    inflated: int  # bytes
    stored: int  # bytes
    values: int


def largest_page(file: IO[bytes]) -> int:
    """Return the bytes of the largest page of a Parquet file: no value is larger.

    Raises `ImageRejected` where one inflates beyond measure, `ValueError` where it is damaged.
    """
    largest = 1
    try:
        for page in _pages(file):
            _check(page.inflated, page.stored)
            if page.values > VALUES_MAX:
                raise ImageRejected(f"a page holds more than {VALUES_MAX:,} values")
            largest = max(largest, page.inflated)
    except _FAULTS as error:
        _raise(error)
    return largest


def check_buffers(file: IO[bytes], begin: int) -> None:
    """Refuse a stream of Arrow, which begins there, of which a batch inflates beyond measure.

    Raises `ImageRejected`, and `ValueError` where it is damaged.
    """
    try:
        for inflated, stored in _batches(file, begin):
            _check(inflated, stored)
    except _FAULTS as error:
        _raise(error)


def _check(inflated: int, stored: int) -> None:
    if inflated > max(FREE, INFLATION_MAX * stored):
        raise ImageRejected(BOMB.format(inflated, stored))


def _raise(error: Exception) -> NoReturn:
    if isinstance(error, ImageRejected):
        raise error
    raise ValueError(DAMAGED) from error


def _pages(file: IO[bytes]) -> Iterator[Page]:
    """Yield what each page of each column declares."""
    size = file.seek(0, 2)
    file.seek(size - 8)
    length, magic = struct.unpack("<I4s", file.read(8))
    if magic != b"PAR1" or length > min(size - 8, FOOTER_MAX):
        return  # pyarrow says why it reads none of it
    file.seek(size - 8 - length)
    footer = _Thrift(file.read(length)).struct()
    for group in footer.get(4, ()):
        for column in group.get(1, ()):
            if 3 in column:
                yield from _of_column(file, column[3], size)


def _of_column(file: IO[bytes], column: Struct, size: int) -> Iterator[Page]:
    place, dictionary = column[9], column.get(11, 0)
    if 0 < dictionary < place:
        place = dictionary
    end = place + column[7]
    if place < 0 or end > size:
        raise ValueError
    while place < end:
        header, length = _header(file, place)
        inflated, stored = header[2], header[3]
        place += length + stored
        if stored < 0 or inflated < 0 or place > end:
            raise ValueError
        data = header.get(5) or header.get(7) or header.get(8) or {}
        yield Page(inflated, stored, data.get(1, 0))


def _header(file: IO[bytes], place: int) -> tuple[Struct, int]:
    """Return the header of a page, and its length in bytes."""
    for size in HEADER_SIZES:
        file.seek(place)
        thrift = _Thrift(file.read(size))
        try:
            return thrift.struct(), thrift.place
        except IndexError:
            continue
    raise ValueError


class _Thrift:
    """A reader of Thrift's compact protocol; texts are passed over. Raises IndexError at the end.

    As in https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.place = data, 0

    def struct(self, depth: int = 0) -> Struct:
        if depth > DEPTH_MAX:
            raise ValueError
        fields, number = Struct(), 0
        while byte := self._byte():
            number = number + (byte >> 4) if byte >> 4 else self._integer()
            fields[number] = byte & 15 == 1 if byte & 15 < 3 else self._value(byte & 15, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (4, 5, 6):
            return self._integer()
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (7, 8):
            return self._pass(8 if kind == 7 else self._varint())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.struct(depth)
        raise ValueError  # a map: Parquet has none

    def _list(self, depth: int) -> list[Any]:
        byte = self._byte()
        count = byte >> 4 if byte >> 4 < 15 else self._varint()
        if count > len(self._data) - self.place or depth > DEPTH_MAX:
            raise IndexError
        return [self._value(byte & 15, depth + 1) for _ in range(count)]

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError

    def _byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _pass(self, count: int) -> None:
        self.place += count
        if self.place > len(self._data):
            raise IndexError


def _batches(file: IO[bytes], place: int) -> Iterator[tuple[int, int]]:
    """Yield to how many bytes each batch inflates, and from how many."""
    size = file.seek(0, 2)
    while place + 4 <= size:
        file.seek(place)
        (length,) = struct.unpack("<i", file.read(4))
        if is_new := length == -1:  # since Arrow 0.15
            (length,) = struct.unpack("<i", file.read(4))
        if not length:
            return
        metadata = file.read(length) if 0 < length <= size else b""
        body = place + (8 if is_new else 4) + length
        message = _Table.root(metadata)
        stored = message.number(3, "q")
        place = body + stored
        if stored < 0 or place > size:
            raise ValueError
        yield _inflated(file, message, body), stored


def _inflated(file: IO[bytes], message: "_Table", body: int) -> int:
    """Return how many bytes the buffers of a message declare; 0: they are not compressed."""
    kind, batch = message.number(1, "B"), message.table(2)
    if kind == 2 and batch is not None:  # of a dictionary
        batch = batch.table(1)
    if kind not in (2, 3) or batch is None or batch.table(3) is None:
        return 0
    total = 0
    for offset, length in batch.pairs(2):
        if length >= 8:
            file.seek(body + offset)
            (declared,) = struct.unpack("<q", file.read(8))
            total += max(0, declared)  # -1: as it is
    return total


class _Table(NamedTuple):
    """A table of a flatbuffer; fields are named by their number."""

    data: bytes
    place: int

    @classmethod
    def root(cls, data: bytes) -> "_Table":
        return cls(data, struct.unpack_from("<I", data)[0])

    def _field(self, number: int) -> int:
        """Return the place of a field; 0: it has its default."""
        of_fields = self.place - struct.unpack_from("<i", self.data, self.place)[0]
        (size,) = struct.unpack_from("<H", self.data, of_fields)
        if 4 + 2 * number + 2 > size:
            return 0
        offset = struct.unpack_from("<H", self.data, of_fields + 4 + 2 * number)[0]
        return self.place + offset if offset else 0

    def number(self, field: int, kind: str) -> int:
        place = self._field(field)
        return int(struct.unpack_from(f"<{kind}", self.data, place)[0]) if place else 0

    def table(self, field: int) -> "_Table | None":
        place = self._field(field)
        if not place:
            return None
        return _Table(self.data, place + struct.unpack_from("<I", self.data, place)[0])

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """Yield the pairs of numbers of a list."""
        table = self.table(field)
        if table is not None:
            (count,) = struct.unpack_from("<I", self.data, table.place)
            for number in range(count):
                yield struct.unpack_from("<qq", self.data, table.place + 4 + 16 * number)
