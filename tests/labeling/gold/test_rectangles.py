"""Rectangles drawn on a cut picture tell which parts show the concept."""

import pytest

from labeling import gold
from labeling.gold import GoldError, Rectangle
from labeling.gold.rectangles import coverage
from labeling.models import Event, GoldMark, Question, Tile

pytestmark = pytest.mark.django_db


@pytest.fixture
def image(scenes):
    """A picture of 128 × 128, cut into parts of 32 × 32, without gold."""
    picture = scenes.tiles[0].image
    Question.objects.filter(tile__image=picture).delete()
    return picture


def draw(scenes, image, by, *rectangles):
    return gold.mark_rectangles(
        image=image,
        concept=scenes.concept,
        rectangles=[Rectangle(*each) for each in rectangles],
        by=by,
    )


def truths(image) -> dict[int, bool]:
    known = Question.objects.filter(tile__image=image, grid=4, state="gold")
    return dict(known.values_list("tile__position", "verdict"))


@pytest.mark.parametrize(
    ("rectangles", "share"),
    [
        ([], 0.0),
        ([(100, 0, 10, 10)], 0.0),
        ([(32, 0, 10, 10)], 0.0),  # it touches the edge from outside
        ([(0, 0, 16, 16)], 0.25),
        ([(0, 0, 16, 16), (0, 0, 16, 16)], 0.25),
        ([(0, 0, 16, 32), (8, 0, 16, 16)], 0.625),
        ([(-0.0, 0, 128, 128)], 1.0),
    ],
)
def test_what_rectangles_cover_of_a_part_is_counted_once(rectangles, share):
    tile = Tile(left=0, top=0, width=32, height=32)
    assert coverage(tile, [Rectangle(*each) for each in rectangles]) == pytest.approx(share)


def test_covered_parts_are_yes_untouched_ones_no_and_the_barely_touched_no_gold(scenes, image, ada):
    marked = draw(scenes, image, ada, (0, 0, 66, 32))  # two parts, and two pixels of the third
    assert (marked.yes, marked.no, marked.unclear) == (2, 13, 1)
    assert truths(image) == {n: n < 2 for n in range(16) if n != 2}
    assert Event.objects.filter(kind="gold").count() == 1
    assert set(GoldMark.objects.values_list("origin", flat=True)) == {"rectangle"}


def test_several_rectangles_add_up_and_drawing_anew_replaces_them(scenes, image, ada):
    draw(scenes, image, ada, (0, 0, 32, 32), (96, 96, 32, 32))
    assert [n for n, yes in truths(image).items() if yes] == [0, 15]
    draw(scenes, image, ada, (0, 0, 34, 32))
    assert [n for n, yes in truths(image).items() if yes] == [0]
    assert 1 not in truths(image)  # barely touched: gold no longer


def test_without_a_rectangle_neither_the_parts_nor_the_whole_show_it(scenes, image, ada):
    assert draw(scenes, image, ada).no == 16
    assert truths(image) == dict.fromkeys(range(16), False)
    whole = Question.objects.get(tile__image=image, grid=1)
    assert (whole.state, whole.verdict) == ("gold", False)


def test_a_whole_that_does_not_show_it_has_no_part_that_does(scenes, image, ada):
    whole = image.tiles.get(grid=1)
    gold.mark(tile=whole, concept=scenes.concept, value=False, by=ada)
    assert truths(image) == dict.fromkeys(range(16), False)


def test_a_whole_that_shows_it_says_nothing_of_single_parts(scenes, image, ada):
    gold.mark(tile=image.tiles.get(grid=1), concept=scenes.concept, value=True, by=ada)
    assert truths(image) == {}


@pytest.mark.parametrize(
    "rectangle", [(0, 0, 129, 10), (-1, 0, 10, 10), (0, 0, 0.5, 10), (0, 0, float("nan"), 9)]
)
def test_rectangles_outside_the_picture_are_refused_and_change_nothing(
    scenes, image, ada, rectangle
):
    with pytest.raises(GoldError, match="outside the picture"):
        draw(scenes, image, ada, rectangle)
    with pytest.raises(GoldError, match="up to 50"):
        draw(scenes, image, ada, *([(0, 0, 10, 10)] * 51))
    assert truths(image) == {}


def test_a_picture_that_is_not_cut_has_no_parts(scenes, ada):
    whole = Tile.objects.filter(image__cut_into=0).first()
    with pytest.raises(GoldError, match="cut it first"):
        draw(scenes, whole.image, ada, (0, 0, 10, 10))


def test_a_session_of_parts_shows_cut_pictures_without_gold(scenes, image, ada):
    shown = gold.session_of_parts(scenes.concept)
    assert [picture.image for picture in shown] == [image.pk]  # the other has gold parts
    assert Tile.objects.get(pk=shown[0].tile).grid == 1
    draw(scenes, image, ada, (0, 0, 32, 32))
    assert gold.session_of_parts(scenes.concept) == []
