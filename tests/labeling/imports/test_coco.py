"""COCO's captions and categories."""

import json

import pytest

from labeling.models import Image
from tests.labeling.imports.sources import captions, fill, take, write
from tests.pictures import jpeg, png

pytestmark = pytest.mark.django_db


def test_cocos_captions_are_recognised(box):
    document = {
        "licenses": [{"id": 4, "name": "CC BY"}],
        "images": [{"id": 7, "file_name": "000007.jpg", "license": 4}],
        "annotations": [
            {"id": 1, "image_id": 7, "caption": "a man on a horse"},
            {"id": 2, "image_id": 7, "caption": "someone rides"},
            {"id": 3, "image_id": 7, "category_id": 1},
        ],
        "categories": [{"id": 1, "name": "horse"}],
    }
    fill(box, **{"val2017/000007.jpg": jpeg(), "annotations/captions.json": json.dumps(document)})
    take(box)
    assert {text for _, text in captions()} == {"a man on a horse", "someone rides"}
    image = Image.objects.get()
    assert (image.keywords, image.license) == (["horse"], "CC BY")


def coco(images, annotations, categories=()):
    rows = {"images": images, "annotations": annotations, "categories": list(categories)}
    return json.dumps(rows)


def test_coco_tells_images_of_one_name_apart_by_their_folders(box):
    images = [{"id": n, "file_name": f"cam{n}/0001.png"} for n in (1, 2)]
    annotations = [{"image_id": n, "caption": f"seen by camera {n}"} for n in (1, 2)]
    fill(box, **{f"data/cam{n}/0001.png": png(n) for n in (1, 2)})
    write(box, "captions.json", coco(images, annotations))
    take(box)
    assert captions() == {
        ("data/cam1/0001.png", "seen by camera 1"),
        ("data/cam2/0001.png", "seen by camera 2"),
    }


@pytest.mark.parametrize("as_written", [str, float])
def test_coco_ids_are_compared_by_what_they_say(box, as_written):
    images = [{"id": 1, "file_name": "images\\a.png"}]
    annotations = [{"image_id": as_written(1), "category_id": as_written(7), "caption": "a wall"}]
    fill(box, **{"images/a.png": png()})
    write(box, "captions.json", coco(images, annotations, [{"id": 7, "name": "bicycle"}]))
    assert "refused 0." in take(box)
    assert captions() == {("images/a.png", "a wall")}
    assert Image.objects.get().keywords == ["bicycle"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (
            {"annotations": [{"image_id": 99, "caption": "lost"}]},
            "images that it does not list: 99",
        ),
        (
            {"annotations": [{"image_id": 1, "category_id": 8}]},
            "categories that it does not list: 8",
        ),
        ({"annotations": {}}, "its annotations are no list of objects"),
        ({"categories": []}, "it has no annotations"),
        ({"annotations": [{"caption": "of nothing"}]}, "`image_id` is missing or wrong"),
    ],
)
def test_coco_that_leads_nowhere_is_refused_with_a_reason(box, document, reason):
    write(box, "a.png", png())
    images = [{"id": 1, "file_name": "a.png"}]
    write(box, "captions.json", json.dumps({"images": images, **document}))
    output = take(box)
    assert "imported 1" in output and reason in output and "captions.json" in output
