"""Tables as two readers see them: the fast one never differs from the careful one."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from labeling import spreadsheets
from labeling.aggregation import tables
from labeling.aggregation.dialects import Dialect
from labeling.aggregation.tables import TableError

NAMES = ("task", "worker", "label")
HEADER = b"task,worker,label\n"

cells = st.text(
    st.one_of(
        st.sampled_from('a,";\t \n\ré0'),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"),
    ),
    min_size=1,
    max_size=6,
).filter(str.strip)
in_place = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


def cells_of(table: tables.Table) -> list[list[str]]:
    columns = (table.columns[name] for name in NAMES)
    return [column.ids.take(pa.array(column.codes)).to_pylist() for column in columns]


@in_place
@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_text_comes_back_as_it_was_written(
    tmp_path: Path, rows: list[tuple[str, str, str]], quoting: int, end: str, encoding: str
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=end).writerows([NAMES, *rows])  # type: ignore[arg-type]
    path = tmp_path / "table.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    stripped = [[cell.strip() for cell in column] for column in zip(*rows, strict=True)]
    assert cells_of(tables.read(path, NAMES)) == stripped


@in_place
@given(rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=8))
def test_what_is_written_is_read_again(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    stripped = [[cell.strip() for cell in column] for column in zip(*rows, strict=True)]
    path = tmp_path / "table.csv"
    tables.write_all([(path, pa.table(stripped, NAMES))])
    assert cells_of(tables.read(path, NAMES)) == stripped
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file, strict=True))[1:] == [
            [spreadsheets.cell(text) for text in row] for row in zip(*stripped, strict=True)
        ]


lines = st.lists(
    st.sampled_from([b"a", b"1", b",", b",", b'"', b"\n", b" ", b"\r", b"\xe9", b"\0"])
)


@in_place
@given(body=lines.map(b"".join))
@example(body=b'1,2,3\n1,2,"3')
@example(body=b'1,2,"3\n\n')
@example(body=b'"1"a,2,3\n')
@example(body=b'"1" ,2,3\n')
@example(body=b'1"a,2,3\n1"a,2,3\n')
@example(body=b'1,2,""""\n')
@example(body=b"1,2,3\r4,5,6\r\n\r\r7,8,9")
def test_the_fast_reader_never_differs_from_the_careful_one(tmp_path: Path, body: bytes) -> None:
    data = HEADER + body
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    try:
        careful = tables._careful(path, data, Dialect(), NAMES, (0, 1, 2))
    except TableError:
        with pytest.raises(TableError, match=r"table\.csv.*\.$"):
            tables.read(path, NAMES)
        return
    if b"\0" in body:
        return
    expected = tables.Table(path, dict(zip(NAMES, careful, strict=True)), data)
    assert cells_of(tables.read(path, NAMES)) == cells_of(expected)


def test_quotes_are_followed_from_block_to_block(monkeypatch: pytest.MonkeyPatch) -> None:
    good = b'"a, b","c ""d""",e\n' * 5
    bad = good + b'"a"b,c,d\n'
    for size in range(1, 12):
        monkeypatch.setattr(tables, "BLOCK", size)
        assert tables._well_quoted(good), size
        assert not tables._well_quoted(bad), size
        assert not tables._well_quoted(good + b'"'), size
        assert not tables._well_quoted(good + b'a"b",c,d\n'), size


def test_it_knows_on_which_line_a_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'\n\n"ta\nsk",task,worker,label\n\n1,1,a,x\n2,"2\r\n2",b,y\n\r\n3,3,c,z\n')
    table = tables.read(path, NAMES)
    assert table.lines([0, 1, 2]) == [6, 7, 10]


def test_many_rows_are_read_in_several_blocks(tmp_path: Path) -> None:
    rows = [(f"task {i % 7000}", f"worker {i % 11}", f"class {i % 3}") for i in range(100_000)]
    path = tmp_path / "table.csv"
    text = "\n".join(map(",".join, rows))
    path.write_text(f"task,worker,label\n{text}\n", encoding="utf-8")
    assert path.stat().st_size > 2 * 2**20
    assert cells_of(tables.read(path, NAMES)) == [list(each) for each in zip(*rows, strict=True)]


def test_an_optional_column_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"task,note\n1,a\n")
    assert list(tables.read(path, ["task"], optional=["note", "other"]).columns) == ["task", "note"]


def test_a_text_in_a_sentence_stays_on_its_line() -> None:
    assert tables.shown("a\nb" + "x" * 100, 10) == "a\N{REPLACEMENT CHARACTER}bxxxxxxx…"


@pytest.mark.parametrize(
    "data",
    [
        b"task;worker;label\n1;2;a,b\n",
        b"task|worker|label\n1|2|a,b\n",
        b'sep=,\r\ntask,worker,label\r\n1,2,"a,b"\r\n',
        b"SEP=;\ntask;worker;label\n1;2;a,b\n",
        b"Task ; WORKER; Label\n 1;2 ;a,b\n",
        "\ufefftask\tworker\tlabel\n1\t2\ta,b\n".encode("utf-16-le"),
        b'task,worker,label\n1,2,"a,b"\n,,\n , ,\n',
    ],
)
def test_a_table_is_read_as_spreadsheets_write_it(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    assert cells_of(tables.read(path, NAMES)) == [["1"], ["2"], ["a,b"]]


def test_lines_count_the_one_that_names_the_separator(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"sep=;\ntask;worker;label\n1;2;a\n1;;b\n")
    with pytest.raises(TableError, match="line 4, column worker: the cell is empty"):
        tables.read(path, NAMES)


def test_two_ways_to_write_an_accent_are_one_task(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{HEADER.decode()}caf\u00e9,1,a\ncafe\u0301,2,a\n", encoding="utf-8")
    assert tables.read(path, NAMES).columns["task"].ids.to_pylist() == ["caf\u00e9"]


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"task,Worker,WORKER,label\n1,2,3,a\n")
    with pytest.raises(TableError, match="column worker appears twice"):
        tables.read(path, NAMES)
