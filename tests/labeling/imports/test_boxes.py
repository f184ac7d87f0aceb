"""Boxes of a source are tiles that people are asked about, with what the source says they show."""

import json

import pytest

from labeling.imports import boxes, undo
from labeling.imports.boxes import Placed
from labeling.imports.entries import FRACTIONS, Box
from labeling.models import BoxStatement, Image, Import, Question, Tile
from tests.labeling.imports.sources import fill, take, write
from tests.pictures import jpeg, png

SIZE = (96, 64)  # of the tests' pictures


@pytest.mark.parametrize(
    ("box", "placed"),
    [
        (Box("owl", 10, 20, 30, 40), (Placed(10, 20, 30, 40), False)),
        (Box("owl", 0.5, 0.25, 0.25, 0.5, FRACTIONS), (Placed(48, 16, 24, 32), False)),
        (Box("owl", 100, 50, 10, 10, (192, 128)), (Placed(50, 25, 5, 5), False)),
        (Box("owl", -1, 0, 30, 40), (Placed(0, 0, 29, 40), False)),  # rounded
        (Box("owl", -20, 0, 30, 100), (Placed(0, 0, 10, 64), True)),
        (Box("owl", 95.8, 10, 0.1, 0.1), (Placed(95, 10, 1, 1), False)),
    ],
)
def test_a_box_lies_on_its_picture(box, placed):
    assert boxes.place(box, *SIZE) == placed


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (Box("owl", 96, 0, 10, 10), "outside of the picture"),
        (Box("owl", 0, -20, 10, 20), "outside of the picture"),
        (Box("owl", 1, 1, 10, 10, (64, 96)), "of a picture of 64 × 96 pixels"),  # it was turned
    ],
)
def test_a_box_that_cannot_lie_on_its_picture_is_refused(box, reason):
    assert reason in boxes.place(box, *SIZE)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (Box("owl", 1, 1, 0, 10), "no area"),
        (Box("owl", 1, 1, 10, -10), "no area"),
        (Box("owl", float("nan"), 1, 10, 10), "four numbers"),
        (Box("owl", "1", 1, 10, 10), "four numbers"),
        (Box("owl", True, 1, 10, 10), "four numbers"),
        (Box("owl", 10**400, 1, 10, 10), "four numbers"),
        (Box("owl", 1, 1, 10, 10, (0, 10)), "without an area"),
    ],
)
def test_what_is_no_box_is_refused(box, reason):
    assert reason in boxes.problem(box)


def test_the_box_around_a_turned_one_holds_its_corners():
    around = boxes.turned(Box("owl", 10, 10, 20, 10), 90, (10, 10))
    assert [round(each) for each in around] == [0, 10, 10, 20]


def of_coco(*annotations, categories=({"id": 7, "name": "owl"},)):
    images = [{"id": 1, "file_name": "a.jpg", "width": 96, "height": 64}]
    listed = [{"id": n, "image_id": 1, **each} for n, each in enumerate(annotations, 1)]
    return json.dumps({"images": images, "annotations": listed, "categories": list(categories)})


def box_of(left, top, width, height):
    return {"category_id": 7, "bbox": [left, top, width, height]}


@pytest.fixture
def owls(box, db):
    """A picture with two boxes of owls."""
    fill(
        box, **{"a.jpg": jpeg(), "boxes.json": of_coco(box_of(0, 0, 32, 32), box_of(40, 8, 48, 40))}
    )
    return box


def test_each_box_is_a_tile_with_a_question_about_its_label(owls):
    output = take(owls, concepts="owl")
    assert "2 boxes: 2 attached, 0 refused" in output
    tiles = Tile.objects.filter(grid=Tile.BOX)
    assert [(t.position, t.left, t.top, t.width, t.height) for t in tiles] == [
        (0, 0, 0, 32, 32),
        (1, 40, 8, 48, 40),
    ]
    asked = Question.objects.filter(grid=Tile.BOX, concept__name="owl")
    assert [question.stated for question in asked] == [0.9, 0.9]
    assert Image.objects.get().keywords == ["owl"]
    assert Question.objects.get(grid=1).stated == 0.9


def test_a_concept_that_comes_later_is_asked_of_its_boxes(owls):
    take(owls)
    assert not Question.objects.exists()
    take(owls, concepts="owl")
    assert Question.objects.filter(grid=Tile.BOX, stated=0.9).count() == 2


def test_boxes_that_come_again_are_the_same_tiles(owls):
    take(owls, concepts="owl")
    take(owls, concepts="owl")
    assert Tile.objects.filter(grid=Tile.BOX).count() == 2
    assert BoxStatement.objects.count() == 4


def test_undoing_one_of_two_imports_leaves_the_boxes_of_the_other(owls):
    take(owls, concepts="owl")
    write(owls, "boxes.json", of_coco(box_of(0, 0, 32, 32), box_of(60, 8, 20, 20)))
    take(owls, concepts="owl")
    first, second = Import.objects.order_by("pk")
    undo.undo(second, None)
    assert [t.left for t in Tile.objects.filter(grid=Tile.BOX)] == [0, 40]
    undo.undo(first, None)
    assert not Tile.objects.exists() and not BoxStatement.objects.exists()


def test_undoing_the_first_import_takes_its_boxes_with_their_questions(owls):
    take(owls, concepts="owl")
    write(owls, "boxes.json", of_coco(box_of(0, 0, 32, 32)))
    take(owls, concepts="owl")
    undo.undo(Import.objects.order_by("pk").first(), None)
    assert Tile.objects.get(grid=Tile.BOX).left == 0
    assert Question.objects.filter(grid=Tile.BOX).count() == 1


@pytest.mark.django_db
def test_a_box_beyond_its_picture_is_clipped_and_counted(box):
    fill(box, **{"a.jpg": jpeg(), "boxes.json": of_coco(box_of(80, 0, 50, 32))})
    output = take(box, concepts="owl")
    assert "Boxes clipped to their pictures: 1." in output
    assert Tile.objects.get(grid=Tile.BOX).width == 16
    assert Import.objects.get().counts["boxes_clipped"] == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (box_of(200, 0, 10, 10), "its box lies outside of the picture"),
        (box_of(1, 1, 0, 10), "its box has no area"),
        ({"category_id": 7, "bbox": [1, 2, 3]}, "its box is not of four numbers"),
        ({"bbox": [1, 2, 3, 4]}, "its box names no category"),
        ({"category_id": 8, "bbox": [1, 2, 3, 4]}, "categories that it does not list: 8"),
    ],
)
def test_a_box_that_is_none_is_refused_with_a_reason(box, annotation, reason):
    fill(box, **{"a.jpg": jpeg(), "boxes.json": of_coco(annotation)})
    output = take(box, concepts="owl")
    assert "1 box: 0 attached, 1 refused" in output and reason in output
    assert not Tile.objects.filter(grid=Tile.BOX).exists()


@pytest.mark.django_db
def test_an_outline_is_the_box_around_it_and_the_report_says_so(box):
    outline = {"category_id": 7, "segmentation": [[10, 10, 50, 12, 30, 40]]}
    fill(box, **{"a.jpg": jpeg(), "boxes.json": of_coco(outline)})
    output = take(box, concepts="owl")
    assert (
        "with outlines or masks of 1 annotation, which are read as the boxes around them" in output
    )
    tile = Tile.objects.get(grid=Tile.BOX)
    assert (tile.left, tile.top, tile.width, tile.height) == (10, 10, 40, 30)


@pytest.mark.django_db
def test_a_picture_of_another_size_does_not_get_the_boxes_of_its_namesake(box):
    fill(box, **{"a.jpg": png(1, (64, 96)), "boxes.json": of_coco(box_of(0, 0, 32, 32))})
    assert "its box is of a picture of 96 × 64 pixels" in take(box, concepts="owl")
    assert not Tile.objects.filter(grid=Tile.BOX).exists()
