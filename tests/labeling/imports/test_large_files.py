"""Files of texts too large to be held: read a value at a time, with the same result."""

import io
import json

import pytest

from labeling.imports import json_pieces, source_index
from labeling.imports.entries import Kind
from labeling.imports.layouts import documents
from labeling.imports.members import Member

COCO = {
    "annotations": [
        {"id": 1, "image_id": 7, "caption": "a dog — “on” a lawn"},
        {"id": 2, "image_id": 8, "caption": "an image that is not listed"},
        {"id": 3, "image_id": 7, "category_id": 3, "bbox": [0, 0, 9.5, 12e-1]},
    ],
    "info": {"images": ["deep", {"annotations": []}]},
    "images": [{"id": 7, "file_name": "a.png", "license": 1, "width": 64, "height": 64}],
    "licenses": [{"id": 1, "name": "CC0"}],
    "categories": [{"id": 3, "name": "dog"}],
}
TASK = {"data": {"image": "a.png"}, "annotations": [{"result": []}], "id": 1}
DOCUMENTS = {
    "COCO": COCO,
    "kohya": {"a": {"caption": "a dog", "tags": "dog, lawn"}, "b.png": {"caption": "a cat"}},
    "a table": [{"file_name": "a.png", "text": "a dog"}, 12, {"file_name": "c.png", "text": "x"}],
    "records of a tool": [TASK, 3, TASK],
    "an empty list": [],
}


def index(data: bytes, name="annotations.json"):
    members = [Member(path, 1, io.BytesIO) for path in ("a.png", "b.png")]
    members.append(Member(name, len(data), lambda: io.BytesIO(data)))
    return source_index.build(lambda: iter(members))


@pytest.fixture
def in_pieces(monkeypatch):
    monkeypatch.setattr(documents, "WHOLE_MAX", 0)
    monkeypatch.setattr(json_pieces, "PIECE", 3)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_document_says_the_same_in_pieces_as_whole(name, encoding, monkeypatch):
    data = json.dumps(DOCUMENTS[name], ensure_ascii=False, indent=1).encode(encoding)
    whole = index(data)
    monkeypatch.setattr(documents, "WHOLE_MAX", 0)
    monkeypatch.setattr(json_pieces, "PIECE", 3)
    pieces = index(data)
    assert pieces.by_path == whole.by_path
    assert sorted(pieces.refusals) == sorted(whole.refusals) and pieces.read == whole.read
    assert len(pieces.rejections) == len(whole.rejections)


@pytest.mark.usefixtures("in_pieces")
def test_json_lines_under_another_name_are_read_as_such(monkeypatch):
    monkeypatch.setattr(documents, "WHOLE_MAX", 60)
    lines = b'{"file_name": "a.png", "text": "a dog"}\n{"file_name": "b.png", "text": "a cat"}\n'
    assert index(lines).read == {Kind.CAPTION: 2}


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize(
    "data",
    [
        b'{"images": [], "annotations": ' + b"[" * 100_000,
        b'{"images": [{"id": 7}], "annotations": [{"image_id": 7, "capt',
        b'{"images": [], "annotations": []} and more',
        b'{"images": [], "annotations": [{"caption": "\xff\xfe"}]}',
        b'[{"file_name": "b.png", "text": "a cat"}, {"file_na',
        b'{"images": {}, "annotations": []}',
        b'"' + b"x" * 100_000,
        b'{"said of": "one picture"}',
        b"",
        b"12",
    ],
)
def test_what_is_no_json_is_refused_by_name(data):
    assert [each.path for each in index(data).rejections] == ["annotations.json"]


@pytest.mark.usefixtures("in_pieces")
def test_a_value_that_is_too_large_is_not_held(monkeypatch):
    monkeypatch.setattr(json_pieces, "VALUE_MAX", 1_000)
    data = b'[{"file_name": "a.png", "text": "a dog"}, {"text": "' + b"x" * 100_000
    found = index(data)
    assert found.read == {Kind.CAPTION: 1}
    assert "more than" in found.rejections[0].reason
