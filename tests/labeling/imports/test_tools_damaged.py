"""Exports that are damaged anywhere are read as far as they can be, and no text is lost."""

import copy
import io
import json

import pytest

from labeling.imports import boxes, source_index
from labeling.imports.members import Member
from tests.labeling.imports import tools

GONE = object()
DAMAGE = (None, True, 1e308, "", [None], {"a": []}, GONE)
COCO = {
    "images": [{"id": 1, "file_name": "photos/a.png", "width": 96, "height": 64, "license": 1}],
    "licenses": [{"id": 1, "name": "MIT"}],
    "categories": [{"id": 7, "name": "owl", "supercategory": "bird"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 1, "category_id": 7, "segmentation": [[1, 2, 3, 4, 5, 6]]},
        {"id": 3, "image_id": 1, "caption": "an owl"},
    ],
}
DOCCANO = {
    "filename": "a.png",
    "label": ["owl"],
    "bbox": [tools.RECTANGLE | {"label": "owl"}],
    "segmentation": [{"label": "owl", "points": [1, 1, 9, 5]}],
}
EXPORTS = {
    "COCO": COCO,
    "Label Studio": tools.label_studio(),
    "Label Studio's rows": tools.label_studio_min(),
    "Argilla": [tools.argilla()],
    "Argilla, flattened": [tools.argilla(flat=True)],
    "doccano": [DOCCANO],
}


def read(name, data):
    """Return the index of a file beside a picture, whose law holds."""
    members = [
        Member(name, len(data), lambda: io.BytesIO(data)),
        Member("photos/a.png", 3, lambda: io.BytesIO(b"png")),
    ]
    index = source_index.build(lambda: iter(members))
    read_of_pictures = sum(sum(each.read.values()) for each in index.by_path.values())
    assert sum(index.read.values()) == read_of_pictures + len(index.refusals)
    return index


def places(value, path=()):
    """Yield the way to each value within a document."""
    if path:
        yield path
    inner = value if isinstance(value, dict) else range(len(value)) if type(value) is list else ()
    for key in inner:
        yield from places(value[key], (*path, key))


def damaged(document, path, damage):
    document = copy.deepcopy(document)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    if damage is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = damage
    return document


@pytest.mark.parametrize("tool", EXPORTS)
def test_a_value_of_another_type_anywhere_spoils_no_import(tool):
    for path in places(EXPORTS[tool]):
        for damage in DAMAGE:
            export = damaged(EXPORTS[tool], path, damage)
            index = read("export.json", json.dumps(export).encode())
            for metadata in index.by_path.values():
                assert all(boxes.place(box, 96, 64) for box in metadata.boxes)


@pytest.mark.parametrize(
    ("name", "export"), [("a.xml", tools.cvat()), ("photos/a.xml", tools.voc())]
)
def test_xml_that_is_cut_off_or_has_other_letters_spoils_no_import(name, export):
    for number in range(0, len(export), 23):
        for damage in ("", "<", ">", '"', "&", "nan", "\0"):
            read(name, (export[:number] + damage + export[number + 1 :]).encode())
        read(name, export[:number].encode())


def test_a_label_of_yolo_with_other_letters_spoils_no_import():
    text = "1 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.5 0.1 0.3 0.9\n"
    for number in range(len(text)):
        for damage in ("", "e", "-", "e999", "\u0663", "\n", "\0"):
            read("photos/a.txt", (text[:number] + damage + text[number + 1 :]).encode())


def test_a_tag_of_xml_without_end_is_refused():
    index = read("photos/a.xml", b"<annotation><object><name>" + b"<" + b"a" * 6_000_000)
    assert "larger than 4,194,304 bytes" in index.rejections[0].reason
    whole = b"<annotation><source>" + b"a" * 6_000_000 + b"</source></annotation>"
    assert not read("photos/a.xml", whole).rejections


def test_a_number_without_end_is_no_name_of_a_class():
    assert read("data.yaml", b"names: [" + b":".join([b"59"] * 5_000) + b"]").rejections
