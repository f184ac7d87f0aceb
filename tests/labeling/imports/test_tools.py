"""What other annotation tools write is read: each text attached, or refused with a reason."""

import csv
import json

import pytest

from labeling.decoding import ImageRejected
from labeling.imports import source, source_index
from labeling.imports.entries import FRACTIONS, Box, Kind
from labeling.imports.layouts import addresses
from labeling.imports.options import DEFAULTS
from tests.labeling.imports import tools
from tests.labeling.imports.sources import write
from tests.pictures import png


def index_of(folder):
    """Return the index of a source whose law holds."""
    index = source_index.build(source.find(folder), DEFAULTS)
    read = sum(sum(each.read.values()) for each in index.by_path.values()) + len(index.refusals)
    assert sum(index.read.values()) == read
    return index


def texts_of(index, path):
    metadata = index.by_path[path]
    return metadata.captions, metadata.keywords, list(metadata.boxes)


def reasons(index):
    return {refusal.reason for refusal in index.refusals}


@pytest.fixture
def photos(box):
    write(box, "photos/a.png", png())
    write(box, "photos/b.png", png(1))
    return box


def test_label_studios_tasks_are_read(photos):
    write(photos, "project.json", json.dumps(tools.label_studio()))
    index = index_of(photos)
    captions, keywords, boxes = texts_of(index, "photos/a.png")
    assert (captions, keywords) == (["an owl on a branch"], ["night", "owl", "bird"])
    assert boxes[0] == Box("owl", 9.6, 6.4, 48, 32, (96, 64))
    assert boxes[1].left == pytest.approx(0) and boxes[1].width == pytest.approx(32)  # turned
    assert not index.refusals


def test_answers_of_several_people_are_for_another_command(photos):
    tasks = tools.label_studio()
    tasks[0]["annotations"].append({**tasks[0]["annotations"][0], "completed_by": 2})
    write(photos, "project.json", json.dumps(tasks))
    index = index_of(photos)
    assert index.by_path == {}
    assert len(index.refusals) == 10
    assert all("tessera import_answers" in reason for reason in reasons(index))


def test_a_prediction_is_nobodys_answer(photos):
    tasks = tools.label_studio()
    tasks[0]["predictions"] = [{"result": tasks[0]["annotations"][0]["result"]}]
    write(photos, "project.json", json.dumps(tasks))
    assert reasons(index_of(photos)) == {"a prediction, which nobody has confirmed"}


def test_label_studios_rows_are_read(photos):
    write(photos, "min.json", json.dumps(tools.label_studio_min()))
    index = index_of(photos)
    captions, keywords, boxes = texts_of(index, "photos/a.png")
    assert (captions, sorted(keywords)) == (["an owl on a branch"], ["night", "owl"])
    assert boxes == [Box("owl", 9.6, 6.4, 48, 32, (96, 64))]


def test_rows_of_several_people_are_for_another_command(photos):
    (row,) = tools.label_studio_min()
    write(photos, "min.json", json.dumps([row, {**row, "annotator": 2}]))
    index = index_of(photos)
    assert index.by_path == {} and len(index.refusals) == 6


def test_label_studios_tables_are_read(photos):
    (row,) = tools.label_studio_min()
    cells = [json.dumps(each) if isinstance(each, list) else str(each) for each in row.values()]
    with (photos / "export.csv").open("w") as file:
        csv.writer(file).writerows([list(row), cells])
    captions, keywords, boxes = texts_of(index_of(photos), "photos/a.png")
    assert (captions, sorted(keywords)) == (["an owl on a branch"], ["night", "owl"])
    assert len(boxes) == 1


@pytest.mark.parametrize("as_lines", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_argillas_records_are_read(photos, as_lines, flat):
    record = tools.argilla(flat=flat)
    text = json.dumps(record) if as_lines else json.dumps([record])
    write(photos, "records.jsonl" if as_lines else "records.json", text)
    index = index_of(photos)
    assert texts_of(index, "photos/a.png") == (["an owl on a branch"], ["owl"], [])
    assert reasons(index) == {"a suggestion, which nobody has confirmed"}


def test_argillas_responses_of_several_people_are_for_another_command(photos):
    record = tools.argilla(people=("alice", "bob"))
    write(photos, "records.json", json.dumps([record]))
    index = index_of(photos)
    assert index.by_path == {} and len(index.refusals) == 5


def test_doccanos_examples_are_read(photos):
    rows = [
        *[{"id": 1, "filename": "a.png", "label": ["owl"], "Comments": []}] * 6,
        {"id": 2, "filename": "b.png", "bbox": [tools.RECTANGLE | {"label": "cat"}]},
        {"id": 3, "filename": "b.png", "segmentation": [{"label": "cat", "points": [1, 1, 9, 5]}]},
    ]
    write(photos, "all.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    index = index_of(photos)
    assert texts_of(index, "photos/a.png") == ([], ["owl"], [])
    boxes = [Box("cat", 10, 8, 30, 20), Box("cat", 1, 1, 8, 4)]
    assert texts_of(index, "photos/b.png") == ([], ["cat"], boxes)


def test_a_line_that_is_no_json_spoils_no_other(photos):
    row = json.dumps({"filename": "a.png", "label": ["owl"]})
    lines = [row] * 20 + ["{broken", row]
    write(photos, "all.jsonl", "\n".join(lines))
    index = index_of(photos)
    assert texts_of(index, "photos/a.png")[1] == ["owl"]
    assert [each.path for each in index.rejections] == ["all.jsonl, line 21"]


def test_cvats_pictures_are_read(photos):
    write(photos, "annotations.xml", tools.cvat())
    index = index_of(photos)
    captions, keywords, boxes = texts_of(index, "photos/a.png")
    assert (captions, keywords) == (["an owl on a branch"], ["night", "owl"])
    size = (96.0, 64.0)
    assert boxes[0] == Box("owl", 10.0, 8.0, 30.0, 20.0, size)
    assert boxes[1] == Box("owl", 1.0, 2.0, 8.0, 3.0, size)  # around a polygon
    assert [round(each) for each in boxes[2][1:5]] == [20, 10, 10, 20]  # a box that was turned
    assert reasons(index) == {"an attribute, “colour”, which is not read"}
    assert len(index.remarks) == 1


def test_a_video_of_cvat_says_what_to_export(photos):
    write(photos, "annotations.xml", "<annotations><track id='0' label='owl'/></annotations>")
    (rejection,) = index_of(photos).rejections
    assert "CVAT for images 1.1" in rejection.reason


def test_pascal_vocs_objects_are_read(photos):
    write(photos, "Annotations/a.xml", tools.voc())
    index = index_of(photos)
    assert texts_of(index, "photos/a.png") == (
        [],
        ["owl", "beak"],
        [Box("owl", 10, 8, 30, 20, (96, 64)), Box("beak", 12, 9, 3, 3, (96, 64))],
    )


def test_an_xml_of_two_folders_is_of_the_picture_of_its_own(box):
    for n, year in enumerate(("VOC2007", "VOC2012")):
        write(box, f"{year}/JPEGImages/a.png", png(n))
    write(box, "VOC2012/Annotations/a.xml", tools.voc())
    index = index_of(box)
    assert list(index.by_path) == ["VOC2012/JPEGImages/a.png"]


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("<annotation><filename>a.png", "not XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><annotation/>', "a document type"),
        ("<annotation>" + "<a>" * 30, "elements within each other"),
        ("<html/>", "XML of <html>"),
        ("", "not XML"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "XML"),
    ],
)
def test_xml_that_is_not_to_be_trusted_is_refused(photos, xml, reason):
    write(photos, "a.xml", xml)
    (rejection,) = index_of(photos).rejections
    assert reason in rejection.reason


NAMES = {
    "data.yaml": "train: images\nnc: 2\nnames: [cat, owl]\n",
    "data.yml": "names:\n  0: cat\n  1: owl\n",
    "classes.txt": "cat\nowl\n",
    "obj.names": "cat\nowl\n",
}


@pytest.mark.parametrize("names", NAMES)
def test_yolos_labels_have_the_names_of_their_classes(box, names):
    write(box, "images/train/a.png", png())
    write(box, "labels/train/a.txt", "1 0.5 0.5 0.25 0.5\n")
    write(box, names, NAMES[names])
    index = index_of(box)
    boxes = [Box("owl", 0.375, 0.25, 0.25, 0.5, FRACTIONS)]
    assert texts_of(index, "images/train/a.png") == ([], ["owl"], boxes)
    assert not index.refusals


def test_a_label_of_another_folder_is_not_taken_for_its_namesakes(box):
    write(box, "images/train/a.png", png())
    write(box, "classes.txt", "cat\nowl\n")
    for split in ("train", "val"):
        write(box, f"labels/{split}/a.txt", "1 0.5 0.5 0.25 0.5\n")
    index = index_of(box)
    assert len(texts_of(index, "images/train/a.png")[2]) == 1
    assert [each.where for each in index.refusals] == ["labels/val/a.txt, line 1"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 0.5 0.5 0.2 0.4 0.91", (0.4, 0.3, 0.2, 0.4)),  # with how sure a model was
        ("0 0.1 0.1 0.5 0.1 0.3 0.9", (0.1, 0.1, 0.4, 0.8)),  # an outline
        ("0 0.5 0.5 0.2 0.4 0.4 0.3 2 0.5 0.5 1", (0.4, 0.3, 0.2, 0.4)),  # a pose
        ("0 0.1 0.1 0.5 0.1 0.5 0.3 0.1 0.3", (0.1, 0.1, 0.4, 0.2)),  # a turned box
    ],
)
def test_yolos_further_lines_are_read_as_boxes(photos, line, expected):
    write(photos, "photos/a.txt", line)
    write(photos, "classes.txt", "cat\n")
    ((_, *rectangle, _),) = texts_of(index_of(photos), "photos/a.png")[2]
    assert rectangle == pytest.approx(expected)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"photos/a.txt": "0 0.5 0.5 0.2 0.3"}, "a class by its number alone"),
        ({"photos/a.txt": "7 0.5 0.5 0.2 0.3", "classes.txt": "cat"}, "classes.txt has no class 7"),
        ({"photos/a.txt": "0 50 50 20 30", "classes.txt": "cat"}, "not in shares"),
        ({"photos/a.txt": "Cat 0.00 0 -1.57 5 5 20 30\nCat 0 1 0 1 2 8 9"}, "KITTI"),
        ({"photos/a.txt": "1.0 2.0 9.0 2.0 9.0 8.0 1.0 8.0 cat 0"}, "DOTA"),
        ({"photos/a.txt": "a cat", "classes.txt": "cat"}, "by which no label is read"),
    ],
)
def test_coordinates_are_never_captions(photos, files, reason):
    for name, text in files.items():
        write(photos, name, text)
    index = index_of(photos)
    assert any(reason in each for each in reasons(index))
    captions = index.by_path["photos/a.png"].captions if index.by_path else []
    assert captions == (["a cat"] if "a cat" in files.values() else [])


@pytest.mark.parametrize(
    "yaml",
    ["train: images", "names: 7", "names: [[a, b]]", "- [", "a: &a [x]\nnames: [*a]", "names: []"],
)
def test_yaml_that_names_no_classes_is_refused(photos, yaml):
    write(photos, "data.yaml", yaml)
    assert "YAML" in index_of(photos).rejections[0].reason


@pytest.mark.parametrize(
    ("address", "path", "instead"),
    [
        ("/data/upload/1/ab12cd34-a.png", "data/upload/1/ab12cd34-a.png", "a.png"),
        ("/data/local-files/?d=photos%2Fa.png", "photos/a.png", ""),
        ("s3://bucket/photos/a.png", "bucket/photos/a.png", ""),
        ("https://labels.example/a%20b.png?size=9", "labels.example/a b.png", ""),
        ("photos\\a.png", "photos/a.png", ""),
    ],
)
def test_an_address_names_a_picture(address, path, instead):
    reference = addresses.reference(address)
    assert (reference.path, reference.instead) == (path, instead)


def test_two_uploads_of_one_name_are_not_taken_for_one_picture(photos):
    (task,) = tools.label_studio()
    other = {**task, "id": 2, "data": {"image": "/data/upload/1/ffffffff-a.png"}}
    write(photos, "project.json", json.dumps([task, other]))
    index = index_of(photos)
    assert index.by_path == {}
    assert all("which is not there" in reason for reason in reasons(index))


def test_the_classes_beside_label_studios_yolo_are_passed_over(photos):
    write(photos, "photos/a.txt", "0 0.5 0.5 0.2 0.2")
    write(photos, "classes.txt", "owl")
    write(photos, "notes.json", json.dumps({"categories": [{"id": 0, "name": "owl"}], "info": {}}))
    index = index_of(photos)
    assert not index.refusals and [each.where for each in index.remarks] == ["notes.json"]


def test_cocos_uploads_of_label_studio_are_found(photos):
    images = [{"id": 0, "file_name": "/data/upload/1/ab12cd34-a.png"}]
    document = {"images": images, "annotations": [{"image_id": 0, "caption": "an owl"}]}
    write(photos, "result.json", json.dumps(document))
    assert texts_of(index_of(photos), "photos/a.png")[0] == ["an owl"]


def test_each_text_names_the_tool_that_wrote_it(photos):
    write(photos, "annotations.xml", tools.cvat())
    assert index_of(photos).by_path["photos/a.png"].provenance.layout == "CVAT"


def test_a_list_of_no_known_tool_is_refused(photos):
    write(photos, "list.json", json.dumps([{"a": 1}]))
    (rejection,) = index_of(photos).rejections
    assert "names no picture" in rejection.reason


def test_texts_of_no_kind_are_never_lost(photos):
    (task,) = tools.label_studio()
    task["annotations"][0]["result"] += [
        {"type": "rating", "value": {"rating": 3}},
        {"type": "rectangle", "value": {"x": 1, "y": 1, "width": 5, "height": 5}},
        {"type": "textarea", "value": {"x": 1, "y": 1, "width": 5, "height": 5, "text": ["beak"]}},
        {"type": "relation", "from_id": "a", "to_id": "b"},
    ]
    write(photos, "project.json", json.dumps([task]))
    index = index_of(photos)
    assert reasons(index) == {
        "an answer of a kind that is not read: rating",
        "its box has no label",
        "a text about a part of the picture",
    }
    assert any("relations" in remark.text for remark in index.remarks)
    assert index.read[Kind.TEXT] == 1


def test_an_element_may_not_be_endless(monkeypatch, photos):
    from labeling.imports.layouts import elements

    monkeypatch.setattr(elements, "CHILD_MAX", 1_000)
    with (photos / "big.xml").open("w") as file:
        file.write("<annotation><object>" + "<name>owl</name>" * 20_000)
    with (photos / "big.xml").open("rb") as file, pytest.raises(ImageRejected, match="larger"):
        list(elements.read(file, 10**9))
