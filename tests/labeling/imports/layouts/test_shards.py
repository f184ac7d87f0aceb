"""Shards: WebDataset's keys with several members, and what img2dataset writes beside them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.labeling.imports.reading import captions, keywords, read, reasons
from tests.labeling.imports.sources import fill, tarred, write


def test_texts_of_one_key_are_of_its_one_picture(tmp_path):
    members = [("s2.image.png", b""), ("s2.caption.txt", b"words for two")]
    members += [("s2.meta.json", b'{"caption": "more for two", "tags": ["dog"]}')]
    index = read(tarred(tmp_path / "a.tar", members))
    assert captions(index) == {"s2.image.png": ["words for two", "more for two"]}
    assert keywords(index) == {"s2.image.png": ["dog"]}


def test_a_text_of_a_key_with_two_pictures_is_refused_by_name(tmp_path):
    members = [("s1.left.png", b""), ("s1.right.png", b""), ("s1.txt", b"words for the pair")]
    index = read(tarred(tmp_path / "a.tar", members))
    assert reasons(index) == {"s1.txt": "fits 2 pictures: s1.left.png, s1.right.png"}


@pytest.mark.parametrize("document", [["one dog", "two dogs"], {"texts": ["one dog", "two dogs"]}])
def test_json_may_be_a_list_of_captions(tmp_path, document):
    members = [("a.png", b""), ("a.json", json.dumps(document).encode())]
    index = read(tarred(tmp_path / "a.tar", members))
    assert captions(index) == {"a.png": ["one dog", "two dogs"]}


CARD = """---
dataset_info:
  features:
  - name: label
    dtype:
      class_label:
        names:
          '0': cat
          '1': dog
---
# Dogs
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classnames.txt", "cat\ndog\n"),
        ("README.md", CARD),
        (
            "dataset_info.json",
            json.dumps({"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}),
        ),
    ],
)
def test_numbers_of_classes_have_their_names_where_the_data_set_says_them(box, name, text):
    fill(box, **{"a.png": b"", "a.cls": "1", "b.png": b"", "b.cls": "7\n", name: text})
    index = read(box)
    assert keywords(index) == {"a.png": ["dog"]}
    assert reasons(index) == {"b.cls": f"{name} has no class 7"}


def test_without_names_a_number_is_refused_with_a_word(box):
    fill(box, **{"a.png": b"", "a.cls": "1", "b.png": b"", "b.json": '{"label": 3}'})
    index = read(box)
    assert not keywords(index)
    assert all(each.startswith("a class by its number alone") for each in reasons(index).values())
    assert set(reasons(index)) == {"a.cls", "b.json"}


def test_what_img2dataset_writes_is_read_once_and_its_statistics_are_passed_over(box):
    row = {"caption": "a dog there", "url": "http://example.org/0.jpg", "key": "000000000"}
    row |= {"status": "success", "error_message": None, "width": 9, "sha256": "00"}
    failed = {**row, "key": "000000001", "status": "failed_to_download", "caption": "a lost dog"}
    failed |= {"error_message": "HTTP Error 404"}
    fill(
        box,
        **{"00000/000000000.jpg": b"", "00000/000000000.txt": "a dog there"},
        **{"00000/000000000.json": json.dumps(row), "00000_stats.json": '{"count": 2}'},
    )
    pq.write_table(pa.Table.from_pylist([row, failed]), box / "00000.parquet")
    index = read(box)
    picture = index.by_path["00000/000000000.jpg"]
    assert picture.captions == ["a dog there"]
    assert picture.provenance.url == "http://example.org/0.jpg"
    assert reasons(index) == {
        "00000.parquet, row 2": "its picture was not downloaded "
        "(failed_to_download: HTTP Error 404)"
    }
    assert [remark.where for remark in index.remarks] == ["00000_stats.json"]


def test_a_pictures_row_that_says_nothing_leaves_its_other_texts(box):
    fill(box, **{"a.png": b"", "a.txt": "a dog there"})
    write(box, "a.json", json.dumps({"caption": None, "status": "success", "key": "a"}))
    index = read(box)
    assert captions(index) == {"a.png": ["a dog there"]} and not reasons(index)
