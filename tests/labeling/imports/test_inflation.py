"""Tables that would inflate beyond measure are refused by their headers; honest ones are read."""

import io
import struct

import pyarrow as pa
import pytest
from pyarrow import parquet

from labeling.decoding import ImageRejected
from labeling.imports import columnar, inflation
from labeling.imports.members import Member

COUNT = 3 * 2**20  # bytes of a value: few in the file, and more than the tests allow
FREE = 2**20


@pytest.fixture(autouse=True)
def little_is_free(monkeypatch):
    monkeypatch.setattr(inflation, "FREE", FREE)


def table(text: str = "a red dog") -> pa.Table:
    names = [f"{number}.png" for number in range(40)]
    texts = [f"{text} {number}" for number in range(40)]
    return pa.table({"file_name": names, "text": texts, "tags": [["dog", "red"], None] * 20})


def as_parquet(some: pa.Table, **options) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(some, sink, **options)
    return sink.getvalue().to_pybytes()


def as_arrow(some: pa.Table, new=pa.ipc.new_stream, **options) -> bytes:
    sink = pa.BufferOutputStream()
    with new(sink, some.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(some, max_chunksize=16)
    return sink.getvalue().to_pybytes()


def rows(name: str, data: bytes) -> list[dict]:
    with columnar.opened(Member(name, len(data), lambda: io.BytesIO(data))) as opened:
        return list(opened.rows(opened.schema.names))


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "brotli", "lz4", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_of_all_kinds_are_read_as_they_are(compression, version):
    some = table()
    options = {"compression": compression, "data_page_version": version, "row_group_size": 15}
    data = as_parquet(some, data_page_size=64, **options)
    assert rows("a.parquet", data) == some.to_pylist()
    assert inflation.largest_page(io.BytesIO(data)) < 1_000


@pytest.mark.parametrize("compression", ["zstd", "brotli", "lz4", "gzip"])
def test_a_page_that_inflates_beyond_measure_is_refused(compression):
    data = as_parquet(pa.table({"text": ["x" * COUNT]}), compression=compression)
    with pytest.raises(ImageRejected, match="no honest table does"):
        rows("a.parquet", data)


def test_a_footer_that_says_less_than_its_pages_is_not_believed():
    data = as_parquet(pa.table({"text": ["x" * COUNT]}), compression="brotli")
    (size,) = struct.unpack("<I", data[-8:-4])
    footer, declared = data[-8 - size : -8], parquet.read_metadata(io.BytesIO(data))
    total = declared.row_group(0).total_byte_size
    small = footer.replace(varint(2 * total), b"\x82\x80\x80\x00")  # 1, in as many bytes
    lying = data[: -8 - size] + small + data[-8:]
    assert parquet.read_metadata(io.BytesIO(lying)).row_group(0).total_byte_size == 1
    with pytest.raises(ImageRejected, match="no honest table does"):
        rows("a.parquet", lying)


def test_a_header_of_a_billion_rows_is_not_believed():
    data = as_parquet(pa.table({"text": ["a dog"] * 300}), compression="none")
    (size,) = struct.unpack("<I", data[-8:-4])
    footer = data[-8 - size : -8].replace(varint(600), varint(2 * 10**9))
    lying = data[: -8 - size] + footer + struct.pack("<I", len(footer)) + b"PAR1"
    assert parquet.read_metadata(io.BytesIO(lying)).num_rows == 10**9
    with pytest.raises(ImageRejected, match="it declares 1,000,000,000 rows, and holds 300"):
        rows("a.parquet", lying)


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_streams_and_files_of_arrow_are_read_as_they_are(new, compression):
    some = table()
    coded = some.set_column(1, "text", some["text"].combine_chunks().dictionary_encode())
    assert rows("a.arrow", as_arrow(coded, new, compression=compression)) == some.to_pylist()


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_a_batch_that_inflates_beyond_measure_is_refused(new):
    for bomb in (pa.array(["x" * COUNT]), pa.array(["x" * COUNT]).dictionary_encode()):
        data = as_arrow(pa.table({"text": bomb}), new, compression="zstd")
        with pytest.raises(ImageRejected, match="no honest table does"):
            rows("a.arrow", data)


def test_offsets_that_lead_out_of_their_values_are_refused():
    data = as_arrow(pa.table({"text": ["hello", "world"]}))
    offsets = struct.pack("<3i", 0, 5, 10)
    assert data.count(offsets) == 1
    for wrong in ((0, 2**28, 10), (0, 5, 2**28), (0, -5, 10)):
        with pytest.raises(ImageRejected, match="no Arrow file that can be read"):
            rows("a.arrow", data.replace(offsets, struct.pack("<3i", *wrong)))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_what_is_cut_off_or_garbled_anywhere_is_refused_or_read(name):
    some = table()
    data = as_parquet(some) if name.endswith(".parquet") else as_arrow(some, compression="zstd")
    for place in range(0, len(data), 7):
        for other in (data[:place], data[:place] + b"\xff" + data[place + 1 :]):
            try:
                rows(name, other)
            except ImageRejected as error:
                assert str(error)


def varint(value: int) -> bytes:
    """Return a number as Thrift's compact protocol has it, once it is doubled (zigzag)."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])
