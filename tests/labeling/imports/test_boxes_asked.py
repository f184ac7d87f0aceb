"""People are asked about the boxes of an import, in grids of their own."""

import json

import pytest
from PIL import Image as Pillow

from labeling import answers, progress, snapshot_rows
from labeling.images import tiles
from labeling.models import Image, Project, Question, Tile
from labeling.selection import selector
from tests.labeling.imports.sources import fill, publish, take
from tests.pictures import jpeg

pytestmark = pytest.mark.django_db


@pytest.fixture
def owls(box):
    """Three pictures with four boxes of owls each."""
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 96, "height": 64} for n in range(3)]
    annotations = [
        {"image_id": n, "category_id": 1, "bbox": [20 * place, 10 * place, 20, 24]}
        for n in range(3)
        for place in range(4)
    ]
    document = {"images": images, "annotations": annotations}
    document["categories"] = [{"id": 1, "name": "owl"}]
    fill(box, **{f"{n}.jpg": jpeg(n) for n in range(3)}, **{"a.json": json.dumps(document)})
    take(box, concepts="owl")
    publish()
    return Project.objects.get()


def grids(annotator, project, count):
    """Return the grids of the tiles of so many challenges."""
    for _ in range(count):
        chosen = selector.Selector(annotator=annotator, project=project).choose("grid")
        ids = [pick.tile for pick in chosen.picks]
        yield {tile.grid for tile in Tile.objects.filter(pk__in=ids)}


def test_grids_show_boxes_or_whole_pictures(owls, alice):
    seen = list(grids(alice, owls, 30))
    assert {Tile.BOX} in seen
    assert all(grid in ({Tile.BOX}, {1}) for grid in seen)


def test_a_box_is_shown_cut_out(owls):
    tile = Tile.objects.filter(grid=Tile.BOX).first()
    picture = tiles.open_rendered(tile)
    assert isinstance(picture, Pillow.Image) and picture.size == (20, 24)


def test_a_box_that_people_confirm_says_that_its_picture_shows_it(owls, alice, bob):
    question = Question.objects.filter(grid=Tile.BOX).first()
    for annotator in (alice, bob):
        answers.record(
            annotator=annotator, values={question.pk: True}, reasons={question.pk: "wanted"}
        )
    question.refresh_from_db()
    assert question.probability > 0.95
    rows = snapshot_rows.build(
        project=owls, concepts=snapshot_rows.concepts_of(owls), include_generated=False
    )
    row = next(each.row for each in rows if each.image.pk == question.tile.image_id)
    assert row["tags"] == ["owl"] and row["in_part"] == []


def test_questions_about_boxes_are_no_pairs_of_wholes(owls):
    measured = progress.measure(project=owls)
    assert (measured.pairs, measured.implicit, measured.questions) == (3, 0, 15)


def test_boxes_go_with_their_picture(owls):
    Image.objects.first().delete()
    assert Tile.objects.filter(grid=Tile.BOX).count() == 8
