"""Pictures within tables: data sets saved by `datasets`, and Parquet as the Hub has it."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.decoding import ImageRejected
from labeling.imports import jobs, source
from labeling.imports.layouts.parquet import _together
from labeling.imports.members import Member
from labeling.imports.options import DEFAULTS
from tests.labeling.imports.reading import captions, keywords, read, reasons
from tests.labeling.imports.sources import fill, zipped
from tests.pictures import png

SAID = {"p0": ["a dog there"], "p1": ["a cat there"]}
NAMED = {"p0": ["dog", "x", "y"], "p1": ["cat"], "p2": ["cat", "z"]}


@pytest.fixture
def dataset(tmp_path):
    import datasets  # here, since each process that runs any tests reads this file

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["dog", "cat"]),
            "caption": datasets.Value("string"),
            "tags": datasets.List(datasets.Value("string")),
        }
    )
    folder = tmp_path / "src"
    fill(folder, **{f"p{number}.png": png(number) for number in range(3)})
    rows = {
        "image": [str(folder / f"p{number}.png") for number in range(3)],
        "label": [0, 1, 1],
        "caption": ["a dog there", "a cat there", None],
        "tags": [["x", "y"], [], ["z"]],
    }
    return datasets.Dataset.from_dict(rows, features=features)


def pictures(box):
    """Return the bytes of each picture of a source."""
    members = jobs.expanded(source.find(box), DEFAULTS)
    return {
        member.path: member.read(10**6)
        for member in members()
        if isinstance(member, Member) and member.path.endswith(".png")
    }


def check(index, folder):
    assert captions(index) == {f"{folder}/{name}.png": each for name, each in SAID.items()}
    assert keywords(index) == {f"{folder}/{name}.png": each for name, each in NAMED.items()}
    assert not reasons(index)


def test_a_saved_data_set_is_read_with_its_pictures_and_classes(box, dataset):
    from datasets import DatasetDict

    DatasetDict({"train": dataset}).save_to_disk(box / "set")
    folder = "set/train/data-00000-of-00001"
    check(read(box), folder)
    assert pictures(box) == {f"{folder}/p{n}.png": png(n) for n in range(3)}


@pytest.fixture
def parquet(box, dataset):
    from datasets.table import embed_table_storage

    embedded = dataset.with_format("arrow").map(embed_table_storage, batched=True)
    path = box / "train-00000-of-00001.parquet"
    embedded.with_format(None).to_parquet(path)
    return path


def test_parquet_as_the_hub_has_it_is_read_with_its_pictures_and_classes(box, parquet):
    check(read(box), parquet.stem)
    assert pictures(box) == {f"{parquet.stem}/p{n}.png": png(n) for n in range(3)}


def test_it_is_read_from_an_archive_too(tmp_path, parquet):
    archive = zipped(tmp_path / "all.zip", [(parquet.name, parquet.read_bytes())])
    check(read(archive), parquet.stem)
    assert pictures(archive) == {f"{parquet.stem}/p{n}.png": png(n) for n in range(3)}


def test_pictures_that_a_table_names_alone_lie_beside_it(box, dataset):
    dataset.to_parquet(box / "t.parquet")
    fill(box, **{f"images/p{number}.png": png(number) for number in range(3)})
    check(read(box), "images")


@pytest.mark.parametrize("name", ["t.arrow", "t.parquet"])
def test_pictures_of_many_batches_are_each_read_by_turns_with_the_names(box, name):
    batches = [
        pa.record_batch(
            {
                "image": [{"bytes": png(n), "path": f"{n}.png"} for n in (first, first + 1)],
                "text": [f"the dog no. {n}" for n in (first, first + 1)],
            }
        )
        for first in range(0, 40, 2)
    ]
    table = pa.Table.from_batches(batches)
    if name == "t.parquet":
        pq.write_table(table, box / name, row_group_size=2)
    else:
        with pa.ipc.new_stream(box / name, table.schema) as stream:
            stream.write_table(table, max_chunksize=2)
    assert captions(read(box)) == {f"t/{n}.png": [f"the dog no. {n}"] for n in range(40)}
    assert pictures(box) == {f"t/{n}.png": png(n) for n in range(40)}


def test_rows_without_names_are_named_by_their_numbers(box):
    table = pa.table({"jpg": [png(1), png(2)], "TEXT": ["one dog there", "two dogs there"]})
    pq.write_table(table, box / "birds.parquet")
    assert captions(read(box)) == {
        "birds/0000000": ["one dog there"],
        "birds/0000001": ["two dogs there"],
    }


def test_a_name_that_is_used_twice_stays_two_pictures(box):
    rows = [{"bytes": png(n), "path": "../../a.png"} for n in range(2)]
    pq.write_table(pa.table({"image": rows, "text": ["one dog", "two dogs"]}), box / "t.parquet")
    assert captions(read(box)) == {"t/a.png": ["one dog"], "t/0000001-a.png": ["two dogs"]}


def test_other_columns_of_pictures_are_told_and_may_be_chosen(box):
    rows = [{"bytes": png(1), "path": "a.png"}]
    others = [{"bytes": png(2), "path": "b.png"}]
    pq.write_table(pa.table({"image": rows, "pose": others, "text": ["a dog"]}), box / "t.parquet")
    assert "holds pictures, too" in reasons(read(box))["t.parquet, column pose"]
    assert captions(read(box, columns={"picture": "pose"})) == {"t/b.png": ["a dog"]}


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pa.table({"x": [1], "y": ["z"]}), "found x, y; names no picture"),
        (pa.table({"file_name": ["a.png"], "text": [3]}), "its caption is not a text"),
        (pa.table({"file_name": [None], "text": ["a dog"]}), "names no picture"),
    ],
)
def test_parquet_of_other_types_is_refused_with_a_word(box, table, reason):
    fill(box, **{"a.png": png(1)})
    pq.write_table(table, box / "t.parquet")
    assert reason in "".join(reasons(read(box)).values())


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
@pytest.mark.parametrize("data", [b"", b"PAR1" + b"\0" * 40 + b"PAR1", b"nonsense " * 9])
def test_what_is_no_such_file_is_refused_with_a_word(box, name, data):
    fill(box, **{"a.png": png(1), name: data})
    assert "file that can be read" in reasons(read(box))[name]


def test_a_table_whose_columns_are_not_of_as_many_rows_is_refused():
    with pytest.raises(ImageRejected, match="not of as many rows"):
        list(_together(iter([{"text": "a dog"}]), iter(["a.png", "b.png"])))
