"""Tables of any name: JSON lines, CSV and TSV, headers or none, row by row."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.imports import csv_rows, lines
from labeling.imports.entries import Columns
from labeling.imports.layouts import layout_of, tables
from labeling.imports.members import Member
from labeling.imports.options import DEFAULTS
from tests.labeling.imports.reading import captions, keywords, read, reasons
from tests.labeling.imports.sources import fill, write

PICTURES = {"a.png": b"", "b.png": b""}
WORDS = {"a.png": ["words for a"], "b.png": ["words for b"]}


def test_metadata_may_be_a_csv(box):
    fill(
        box,
        **PICTURES,
        **{"metadata.csv": "file_name,text\na.png,words for a\nb.png,words for b\n"},
    )
    assert captions(read(box)) == WORDS


def test_metadata_may_begin_with_the_line_by_which_excel_says_its_separator(box):
    text = '"sep=;"\nfile_name;text\na.png;words for a\nb.png;words for b\nc.png\n'
    fill(box, **PICTURES, **{"metadata.csv": text})
    index = read(box)
    assert captions(index) == WORDS
    assert any("line 5" in each.where for each in index.refusals)


def test_metadata_that_never_has_a_file_name_names_its_pictures_in_another_column(box):
    rows = [{"filename": "a.png", "text": "words for a"}, {"Image": "b.png", "Text": "words for b"}]
    fill(box, **PICTURES, **{"metadata.jsonl": "\n".join(map(json.dumps, rows))})
    assert captions(read(box)) == WORDS


def test_metadata_may_be_parquet(box):
    fill(box, **PICTURES)
    rows = [{"file_name": name, "text": words[0], "n": 1} for name, words in WORDS.items()]
    pq.write_table(pa.Table.from_pylist(rows), box / "metadata.parquet")
    assert captions(read(box)) == WORDS


@pytest.mark.parametrize(
    "column",
    ["prompt", "caption", "blip_caption", "caption_en", "Description", "TEXT", "caption_0"],
)
def test_a_caption_stands_in_a_column_of_many_names(box, column):
    row = {"file_name": "a.png", column: "words for a", "split": "train", "n": 3}
    fill(box, **PICTURES, **{"metadata.jsonl": json.dumps(row)})
    assert captions(read(box)) == {"a.png": ["words for a"]}


def test_of_unknown_columns_it_says_what_is_found_and_wanted_and_one_may_be_chosen(box):
    row = {"file_name": "a.png", "remark": "words for a"}
    fill(box, **PICTURES, **{"metadata.jsonl": json.dumps(row)})
    (reason,) = reasons(read(box)).values()
    assert reason.startswith("found remark; wanted caption, text, description")
    assert captions(read(box, columns={"caption": "Remark "})) == {"a.png": ["words for a"]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["one", "two", "one"], ["one", "two"]),
        ({"en": "words", "de": "Worte", "fr": None}, ["words", "Worte"]),
        ([{"raw": "one"}, {"text": "two"}], ["one", "two"]),
        ({"en": ["one", "two"]}, ["one", "two"]),
    ],
)
def test_captions_may_be_lists_and_objects_by_language(box, value, expected):
    row = {"file_name": "a.png", "captions": value}
    fill(box, **PICTURES, **{"metadata.jsonl": json.dumps(row)})
    assert captions(read(box)) == {"a.png": expected}


@pytest.mark.parametrize("value", [3, True, {"score": "x"}, [[[[["deep"]]]]]])
def test_what_is_no_caption_is_refused_by_its_row(box, value):
    row = {"file_name": "a.png", "captions": value}
    fill(box, **PICTURES, **{"metadata.jsonl": json.dumps(row)})
    assert reasons(read(box)) == {"metadata.jsonl, line 1": "its caption is not a text"}


@pytest.mark.parametrize("value", ["null", "NaN", '""', "[]"])
def test_a_row_may_say_nothing_of_its_picture(box, value):
    rows = [f'{{"file_name": "a.png", "text": {value}}}']
    rows += ["", '{"file_name": "b.png", "text": "words for b"}']
    fill(box, **PICTURES, **{"metadata.jsonl": "\n".join(rows)})
    index = read(box)
    assert not reasons(index)
    assert captions(index) == {"b.png": ["words for b"]}


def test_a_row_that_names_no_picture_is_refused_by_its_number(box):
    rows = [
        "file_name,text",
        "a.png,words for a",
        ",nobody",
        "c.png,not there",
        "b.png,words for b",
    ]
    fill(box, **PICTURES, **{"metadata.csv": "\n".join(rows)})
    index = read(box)
    assert captions(index) == WORDS
    assert reasons(index) == {
        "metadata.csv, line 3": "names no file in `file_name`",
        "metadata.csv, line 4": "names c.png, which is not there",
    }


def test_a_manifest_names_pictures_by_paths_of_another_machine(box):
    fill(box, **{"images/a.png": b"", "images/b.png": b""})
    rows = ["path;caption;tags", r"C:\data\images\a.png;words for a;dog, lawn"]
    rows += ["https://example.org/x/b.png?size=2;words for b;"]
    write(box, "list.csv", "\n".join(rows))
    index = read(box)
    assert captions(index) == {f"images/{name}": words for name, words in WORDS.items()}
    assert keywords(index) == {"images/a.png": ["dog", "lawn"]}


def test_an_id_may_be_a_name_without_a_suffix(box):
    fill(
        box, **{"train/a.png": b"", "train/b.png": b"", "labels.csv": "id,breed,label\na,x,beagle"}
    )
    assert keywords(read(box)) == {"train/a.png": ["beagle"]}


def test_flickrs_captions_are_read_with_a_header_and_without(box):
    fill(
        box,
        **PICTURES,
        **{"captions.txt": 'image,caption\na.png,"one dog, running"\na.png,a dog\n'},
        **{"Flickr8k.token.txt": "b.png#0\tA dog .\nb.png#1\tA dog, asleep .\n"},
        **{"results.csv": "image_name| comment_number| comment\na.png| 0| the third one\n"},
    )
    assert {path: sorted(texts) for path, texts in captions(read(box)).items()} == {
        "a.png": ["a dog", "one dog, running", "the third one"],
        "b.png": ["A dog .", "A dog, asleep ."],
    }


def test_cells_hold_commas_lines_and_lists(box):
    rows = ["file,captions,caption", 'a.png,"[""one"", ""two""]","three,\nand four"']
    fill(box, **PICTURES, **{"list.csv": "\n".join(rows)})
    assert captions(read(box)) == {"a.png": ["one", "two", "three, and four"]}


def test_two_columns_of_one_name_are_both_read(box):
    fill(box, **PICTURES, **{"list.csv": "file,caption,caption\na.png,one dog,two dogs\n"})
    assert captions(read(box)) == {"a.png": ["one dog", "two dogs"]}


def test_a_row_of_too_many_cells_is_refused_with_advice(box):
    fill(box, **PICTURES, **{"list.csv": "file,caption\na.png,one, two\nb.png,words for b"})
    index = read(box)
    assert "put quotation marks" in reasons(index)["list.csv, line 2"]
    assert captions(index) == {"b.png": ["words for b"]}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_are_read_in_any_encoding_that_is_said(box, encoding, end):
    text = end.join(["file,caption", "a.png,犬と猫", "b.png,words for b"])
    fill(box, **PICTURES, **{"list.csv": text.encode(encoding)})
    options = {"encoding": encoding} if encoding == "cp932" and end != "\r" else {}
    if encoding == "cp932" and end == "\r":
        return  # an old Macintosh's own encodings are not read
    assert captions(read(box, **options)) == {"a.png": ["犬と猫"], "b.png": ["words for b"]}


def test_a_text_in_another_encoding_is_refused_with_a_word(box):
    fill(box, **PICTURES, **{"a.txt": "un chien à la fenêtre".encode("latin-1")})
    (reason,) = reasons(read(box)).values()
    assert reason == "not UTF-8 text: save it so, or choose its encoding"
    assert captions(read(box, encoding="latin-1")) == {"a.png": ["un chien à la fenêtre"]}


def test_rows_after_lines_in_another_encoding_keep_their_numbers(box):
    rows = ["file_name,text", "a.png,une fenêtre", "b.png,words for b", "c.png,not there"]
    fill(box, **PICTURES, **{"list.csv": "\n".join(rows).encode("latin-1")})
    refused = reasons(read(box))
    assert refused["list.csv, line 2"].startswith("not UTF-8")
    assert refused["list.csv, line 4"] == "names c.png, which is not there"


class Endless(io.RawIOBase):
    """A file of one line of so many bytes, and then another."""

    def __init__(self, size):
        self.left, self.end = size, b'\n{"file_name": "b.png", "text": "words for b"}\n'

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.left > 0:
            size = min(len(buffer), self.left)
            buffer[:size] = b"x" * size
            self.left -= size
            return size
        size = min(len(buffer), len(self.end))
        buffer[:size], self.end = self.end[:size], self.end[size:]
        return size


@pytest.mark.parametrize("name", ["metadata.jsonl", "list.csv"])
def test_a_line_without_an_end_is_refused_by_its_number_in_little_memory(name):
    import tracemalloc

    size = 40 * lines.LINE_MAX
    member = Member(name, size, lambda: io.BufferedReader(Endless(size)))
    tracemalloc.start()
    try:
        read_all = layout_of(name).read(member, DEFAULTS)
        readings = [each for each in read_all if not isinstance(each, Columns)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (readings[0].path, readings[0].reason) == (f"{name}, line 1", "a line of more than 4 MB")
    assert peak < 4 * lines.LINE_MAX
    assert name != "metadata.jsonl" or readings[1].text == "words for b"


def test_json_lines_may_have_another_name_or_be_a_list(box):
    rows = [{"file_name": name, "text": words[0]} for name, words in WORDS.items()]
    fill(box, **PICTURES, **{"rows.json": "\n".join(map(json.dumps, rows))})
    assert captions(read(box)) == WORDS
    fill(box, **{"rows.json": json.dumps(rows)})
    assert captions(read(box)) == WORDS


@pytest.mark.parametrize("labels", ["dog,cat", "dog|cat", "dog;cat", '["dog", "cat"]'])
def test_a_column_of_several_labels_holds_a_list(box, labels):
    fill(box, **PICTURES, **{"list.tsv": f"image\tlabels\na.png\t{labels}\n"})
    assert keywords(read(box)) == {"a.png": ["dog", "cat"]}


def test_one_label_may_hold_a_comma(box):
    fill(box, **PICTURES, **{"list.tsv": "image\tlabel\na.png\ttench, Tinca tinca\n"})
    assert keywords(read(box)) == {"a.png": ["tench, Tinca tinca"]}


def test_two_pictures_of_one_row_are_refused_by_the_row(box):
    row = {"file_names": ["a.png", "b.png"], "text": "a pair"}
    fill(box, **PICTURES, **{"metadata.jsonl": json.dumps(row)})
    assert reasons(read(box)) == {"metadata.jsonl, line 1": "names 2 pictures in one row"}


def test_a_quotation_mark_without_its_other_one_swallows_no_row(box):
    rows = ["file,caption", 'a.png,"words for', "c.png,nowhere", "b.png,words for b", 'd.png,"x']
    fill(box, **PICTURES, **{"list.csv": "\n".join(rows)})
    index = read(box)
    assert captions(index) == {"b.png": ["words for b"]}
    assert reasons(index) == {
        "list.csv, line 2": csv_rows.UNCLOSED,
        "list.csv, line 3": "names c.png, which is not there",
        "list.csv, line 5": "names d.png, which is not there",
    }


def test_a_name_that_an_object_has_twice_is_refused_rather_than_one_of_its_texts(box):
    twice = '{"file_name": "a.png", "text": "one dog", "text": "two dogs"}'
    whole = '{"file_name": "b.png", "text": "words for b"}'
    fill(box, **PICTURES, **{"metadata.jsonl": f"{twice}\n{whole}\n", "a.json": twice})
    index = read(box)
    assert captions(index) == {"b.png": ["words for b"]}
    assert set(reasons(index).items()) == {
        ("metadata.jsonl, line 1", "names “text” twice in one object"),
        ("a.json", "names “text” twice in one object"),
    }


def test_a_line_of_many_separators_is_read_in_one_go():
    assert not tables.is_listed("a.png" + "\t" * 50_000)
    assert tables.is_listed("a.png#0 \t a dog")


def test_the_name_of_a_column_is_kept_as_it_can_be_shown(box):
    row = {"file_name": "a.png", "a\0\ud800_caption": "words for a"}
    fill(box, **PICTURES, **{"list.jsonl": json.dumps(row)})
    (decision,) = read(box).decisions
    assert decision.as_json()["group"] == r"a\x00\xd800_caption"


def test_a_table_with_two_columns_of_one_name_is_refused(box):
    fill(box, **PICTURES)
    names = ["file_name", "text", "text"]
    table = pa.table([["a.png"], ["one dog"], ["two dogs"]], names=names)
    pq.write_table(table, box / "list.parquet")
    assert reasons(read(box)) == {"list.parquet": "has two columns called text: rename one"}


def test_a_map_of_captions_by_language_holds_captions_and_no_languages(box):
    said = pa.array(
        [[("en", "words for a"), ("de", "Worte für a")]], pa.map_(pa.string(), pa.string())
    )
    fill(box, **PICTURES)
    pq.write_table(pa.table({"file_name": ["a.png"], "captions": said}), box / "list.parquet")
    assert captions(read(box)) == {"a.png": ["words for a", "Worte für a"]}


def test_the_columns_of_tables_are_kept_to_be_chosen_from(box):
    rows = json.dumps({"image": "a.png", "wording": "a dog"})
    table = "picture,title,wording\na.png,Rex,a dog\n"
    fill(box, **{"a.png": b"", "a.csv": table, "b.jsonl": rows, "c.json": f"[{rows}]"})
    assert list(read(box).columns) == ["picture", "title", "wording", "image"]
