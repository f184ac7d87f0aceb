"""Boxes in a snapshot's rows: where they are, what they show, how sure that is, whence it comes."""

import json

import pytest
from django.core.management import call_command

from labeling import answers, exports, snapshot_difference, snapshot_rows, snapshots
from labeling.models import BoxStatement, Project, Question, Tile
from tests.labeling.imports.sources import fill, publish, take
from tests.pictures import jpeg

pytestmark = pytest.mark.django_db


def coco(*boxes: tuple[str, list[float]]) -> str:
    """Return a COCO document of one picture, 0.jpg, with these labels and boxes."""
    names = sorted({name for name, _ in boxes})
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "0.jpg", "width": 96, "height": 64}],
            "annotations": [
                {"id": n, "image_id": 1, "category_id": names.index(name), "bbox": bbox}
                for n, (name, bbox) in enumerate(boxes)
            ],
            "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
        }
    )


@pytest.fixture
def box(settings, tmp_path):
    settings.MEDIA_ROOT, settings.UPLOAD_MIN_FREE_BYTES = tmp_path / "media", 0
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


@pytest.fixture
def barn(box) -> Project:
    """A picture with an owl and a thing that no concept names, the owl also called a bird."""
    document = coco(
        ("owl", [0, 0, 20, 24]), ("bird", [0, 0, 20, 24]), ("thingy", [40, 10, 30.6, 12])
    )
    fill(box, **{"0.jpg": jpeg(0), "a.json": document})
    take(box, concepts="owl,bird")
    publish()
    return Project.objects.get()


def row_of(project: Project) -> dict:
    rows = snapshot_rows.build(
        project=project, concepts=snapshot_rows.concepts_of(project), include_generated=False
    )
    (row,) = (each.row for each in rows)
    return row


def test_a_box_that_shows_two_things_is_listed_twice(barn):
    row = row_of(barn)
    assert [(b["label"], b["left"], b["top"], b["width"], b["height"]) for b in row["boxes"]] == [
        ("owl", 0, 0, 20, 24),
        ("bird", 0, 0, 20, 24),
        ("thingy", 40, 10, 31, 12),
    ]
    assert {b["probability"] for b in row["boxes"]} == {0.9}
    assert {b["answers"] for b in row["boxes"]} == {0}
    (place,) = {b["provenance"] for b in row["boxes"]}
    assert row["provenance"][place]["layout"] == "COCO"


def test_what_people_say_of_a_box_is_believed_of_it(barn, alice, bob):
    question = Question.objects.get(tile__grid=Tile.BOX, concept__name="owl", answers_count=0)
    for annotator in (alice, bob):
        answers.record(
            annotator=annotator, values={question.pk: False}, reasons={question.pk: "wanted"}
        )
    owl = next(each for each in row_of(barn)["boxes"] if each["label"] == "owl")
    assert owl["probability"] < 0.5 and owl["answers"] == 2


def test_boxes_are_counted_in_manifest_and_card_and_compared(barn, box):
    before = snapshots.freeze(project=barn)
    assert before.counts["boxes"] == 3
    fill(box, **{"b.json": coco(("owl", [50, 30, 20, 24]))})
    take(box)
    publish()
    after = snapshots.freeze(project=barn)
    assert after.counts["boxes"] == 4
    (change,) = snapshot_difference.compare(before, after).page().changes
    assert "boxes" in change["columns"]


def test_a_box_says_which_import_it_comes_from(barn, box):
    fill(box, **{"b.json": coco(("owl", [50, 30, 20, 24]))})
    take(box, vendor="Acme")
    publish()
    row = row_of(barn)
    (new,) = (each for each in row["boxes"] if each["left"] == 50)
    assert row["provenance"][new["provenance"]]["vendor"] == "Acme"
    (old,) = {each["provenance"] for each in row["boxes"] if each["left"] != 50}
    assert row["provenance"][old]["vendor"] == ""


def boxes_of(project: Project) -> set[tuple]:
    """Return the boxes of a project: where they are, and what imports say they show."""
    stated = BoxStatement.objects.filter(tile__image__project=project)
    return set(
        stated.values_list(
            "tile__left", "tile__top", "tile__width", "tile__height", "label", "tile__image__width"
        )
    )


def test_boxes_of_coco_come_back_as_they_came_in(barn, tmp_path):
    snapshot = snapshots.freeze(project=barn)
    exports.export_snapshot(snapshot=snapshot, format="coco", out=tmp_path / "out")
    call_command("import_images", str(tmp_path / "out"), project="again", no_input=True)
    again = Project.objects.get(slug="again")
    assert boxes_of(again) == boxes_of(barn) and len(boxes_of(barn)) == 3


def test_the_api_shows_a_pictures_boxes_and_where_its_texts_come_from(barn, admin_client):
    image = barn.images.get()
    told = admin_client.get(f"/api/v1/images/{image.pk}/").json()
    assert [(b["label"], b["left"], b["height"], b["probability"]) for b in told["boxes"]] == [
        ("owl", 0, 24, 0.9),
        ("bird", 0, 24, 0.9),
        ("thingy", 40, 12, 0.9),
    ]
    assert {b["imported_by"] for b in told["boxes"]} == {image.imported_by_id}
    assert "COCO" in [each["layout"] for each in told["origins"]]
