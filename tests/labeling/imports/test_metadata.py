"""What a source says of its images: texts beside them, Hugging Face's rows and WebDataset."""

import io
import json

import pytest

from labeling.imports import source_index
from labeling.imports.entries import Kind
from labeling.imports.members import Member
from labeling.imports.metadata import MORE_PROBLEMS, TEXTS_MAX, Metadata
from labeling.models import Image, Question
from tests.labeling.imports.sources import captions, fill, take, tarred, write
from tests.pictures import jpeg, png

pytestmark = pytest.mark.django_db


def test_a_text_of_the_same_name_is_a_caption_or_keywords(box):
    fill(
        box,
        **{"a.jpg": jpeg(1), "a.txt": "a red bicycle, seen from behind", "b.jpg": jpeg(2)},
        **{"b.txt": "red, old bicycle, wall\n", "c.jpg": jpeg(3), "c.txt": "One line.\nAnother."},
        **{"d.jpg": jpeg(4), "d.caption": "\ufeffbicycle"},
    )
    take(box)
    assert captions() == {
        ("a.jpg", "a red bicycle, seen from behind"),
        ("c.jpg", "One line."),
        ("c.jpg", "Another."),
        ("d.jpg", "bicycle"),
    }
    assert Question.objects.filter(prior=0.9, source="import").count() == 4
    keywords = dict(Image.objects.exclude(keywords=[]).values_list("source", "keywords"))
    assert keywords == {"b.jpg": ["red", "old bicycle", "wall"]}


def test_a_bad_text_is_refused_and_its_picture_is_not(box):
    fill(
        box,
        **{"a.jpg": jpeg(1), "a.txt": b"\xfc\xfe\x00", "b.jpg": jpeg(2), "b.txt": "x y" * 400},
        **{"c.jpg": jpeg(3), "c.txt": b"nul \0 byte", "d.jpg": jpeg(4), "d.txt": "x" * 70_000},
        **{"lonely.txt": "nobody"},
    )
    output = take(box)
    assert "imported 4" in output and "refused 3 files and 2 texts:" in output
    for reason in (
        "not UTF-8 text: save it so, or choose its encoding: a.txt",
        "its caption is longer than 500 characters: b.jpg",
        "holds NUL bytes, so it is no text: c.txt",
        "larger than 0.0625 MB: d.txt",
        "a text without a picture of the same name: lonely",
    ):
        assert reason in output
    assert not captions()


def test_hugging_faces_metadata_is_recognised(box):
    rows = [
        {"file_name": "a.png", "text": "a red wall", "tags": ["red", "wall"], "license": "MIT"},
        {"file_name": "./b.png", "captions": [{"text": "a blue wall", "confidence": 0.9}]},
        {"file_name": "gone.png", "text": "nothing"},
    ]
    fill(box, **{"train/a.png": png(1), "train/b.png": png(2)})
    write(box, "train/metadata.jsonl", "\n".join(json.dumps(row) for row in rows))
    output = take(box)
    assert captions() == {("train/a.png", "a red wall"), ("train/b.png", "a blue wall")}
    image = Image.objects.get(source="train/a.png")
    assert (image.keywords, image.license) == (["red", "wall"], "MIT")
    assert "names train/gone.png, which is not there: train/metadata.jsonl, line 3" in output


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x1e", "\f"])
def test_ends_of_lines_within_a_text_end_no_row_and_no_caption(box, separator):
    caption = f"a red wall{separator}and a door"
    row = {"file_name": "a.png", "text": caption, "license": f"free{separator}of charge"}
    write(box, "a.png", png(1))
    write(box, "metadata.jsonl", json.dumps(row, ensure_ascii=False))
    fill(box, **{"b.png": png(2), "b.txt": f"a blue wall{separator}and a window\na second line"})
    assert "refused 0." in take(box)
    assert captions() == {
        ("a.png", "a red wall and a door"),
        ("b.png", "a blue wall and a window"),
        ("b.png", "a second line"),
    }


def test_a_row_that_says_nothing_spoils_no_other(box):
    rows = ['{"file": "a.png"}', "{", '{"file_name": "a.png", "price": 3}']
    rows += ['{"file_name": "b.png", "text": "a blue wall"}']
    fill(box, **{"a.png": png(1), "b.png": png(2), "metadata.jsonl": "\n".join(rows)})
    output = take(box)
    assert captions() == {("b.png", "a blue wall")}
    assert "names no file in `file_name`: metadata.jsonl, line 1" in output
    assert "not JSON: metadata.jsonl, line 2" in output
    assert "found price; wanted caption, text, description, prompt, tags, keywords" in output


def test_paths_are_compared_whatever_wrote_them(box):
    fill(box, **{"sub/e\u0301.png": png()})
    row = {"file_name": "sub\\\u00e9.png", "text": "a wall"}
    write(box, "metadata.jsonl", json.dumps(row))
    assert "refused 0." in take(box)
    assert {text for _, text in captions()} == {"a wall"}


@pytest.mark.parametrize(
    "caption",
    [
        "\u0633\u06af \u0645\u06cc\u200c\u0646\u0634\u06cc\u0646\u062f",
        "a family \U0001f468\u200d\U0001f469\u200d\U0001f467 and a flag",
        "\u200f\u05db\u05dc\u05d1\u200f \u05dc\u05d1\u05df",
        "a light\u00adhouse at night",
        "\u4e00\u53ea\u767d\u8272\u7684\u72d7\u5750\u5728\u8349\u5730\u4e0a",
    ],
)
def test_captions_of_any_script_are_kept_as_they_are(box, caption):
    fill(box, **{"a.png": png(), "a.txt": caption})
    assert "refused 0." in take(box)
    assert captions() == {("a.png", caption)}


@pytest.mark.parametrize("comma", ["\u3001", "\uff0c", "\u060c", ","])
def test_keywords_stand_between_commas_of_any_script(box, comma):
    fill(box, **{"a.png": png(), "a.txt": comma.join(["\u72ac", "\u732b", "\u829d\u751f"])})
    take(box)
    assert Image.objects.get().keywords == ["\u72ac", "\u732b", "\u829d\u751f"]


def test_a_webdataset_is_recognised(tmp_path):
    source = tarred(
        tmp_path / "00000.tar",
        [
            ("000.jpg", jpeg(1)),
            ("000.txt", b"a cat that sleeps"),
            ("000.json", json.dumps({"caption": "a cat", "tags": ["cat"], "width": 3}).encode()),
            ("000.cls", b"3"),
            ("001.png", png(2)),
            ("001.cls", b"dog"),
        ],
    )
    output = take(source)
    assert "3 keywords: 2 attached, 1 refused" in output
    assert "a class by its number alone: its name is wanted" in output and "000.cls" in output
    assert captions() == {("000.jpg", "a cat that sleeps"), ("000.jpg", "a cat")}
    assert [image.keywords for image in Image.objects.order_by("source")] == [["cat"], ["dog"]]


@pytest.mark.parametrize(
    "text", ["[1]", "{", "null", '{"images": 3, "annotations": [{"caption": 1}]}', "[" * 100_000]
)
def test_json_that_says_nothing_is_refused(text, box):
    fill(box, **{"a.jpg": jpeg(), "a.json": text, "metadata.jsonl": text})
    output = take(box)
    assert "imported 1" in output and "metadata.jsonl" in output and "a.json" in output


def test_a_keyword_of_ligatures_is_taken_and_names_its_concept(box):
    """Compared, it is eighteen times as long."""
    ligatures = "\ufdfa" * 80
    fill(box, **{"a.png": png(1), "a.txt": f"{ligatures}, red, wall"})
    write(box.parent, "concepts.txt", ligatures)
    take(box, concepts=box.parent / "concepts.txt", texts="keywords")
    assert Image.objects.get().keywords == [ligatures, "red", "wall"]
    assert Question.objects.get().concept.name == ligatures


def test_of_too_many_keywords_the_first_are_taken_and_the_rest_is_reported(box):
    row = {"file_name": "a.png", "tags": [f"word {n}" for n in range(101)]}
    fill(box, **{"a.png": png(1), "metadata.jsonl": json.dumps(row)})
    assert "it has more than 100 keywords: a.png" in take(box)
    assert len(Image.objects.get().keywords) == 100


def test_a_picture_that_is_described_over_and_over_has_no_more_texts_than_any_other():
    rows = [{"file_name": "a.png", "tags": [f"{n}-{m}" for m in range(100)]} for n in range(20)]
    data = "\n".join(map(json.dumps, rows)).encode()
    members = [
        Member("a.png", 1, io.BytesIO),
        Member("metadata.jsonl", 1, lambda: io.BytesIO(data)),
    ]
    described = source_index.build(lambda: iter(members)).by_path["a.png"]
    assert len(described.keywords) == TEXTS_MAX
    assert (described.read[Kind.KEYWORD], described.refused[Kind.KEYWORD]) == (2_000, 1_900)
    assert {problem.reason for problem in described.problems} == {
        f"it has more than {TEXTS_MAX} keywords",
        MORE_PROBLEMS,
    }


def test_of_very_many_wrong_texts_the_first_are_named_and_all_are_counted():
    wrong = Metadata()
    for _ in range(10_000):
        wrong.add(Kind.KEYWORD, 1)
    assert wrong.refused[Kind.KEYWORD] == 10_000
    assert len(wrong.problems) == TEXTS_MAX + 1 and wrong.problems[-1].reason == MORE_PROBLEMS
