"""Pictures are cut into parts by a job, asked about by these, and put back."""

import pytest

from labeling import challenges, gold, images, parts, pools, questions, tasks
from labeling.gold import Rectangle
from labeling.models import (
    Annotator,
    Challenge,
    Comment,
    Concept,
    Cutting,
    Event,
    Image,
    NewPictures,
    Project,
    Question,
    Tile,
)
from labeling.parts import PartsError
from tests.cast import answer
from tests.pictures import draw

pytestmark = pytest.mark.django_db


@pytest.fixture
def photos(garden) -> Project:
    """Six pictures of 128 × 128 and one of 96, with keywords and two concepts."""
    Concept.objects.bulk_create(
        Concept(project=garden, name=name, phrase=f"a {name}") for name in ("circle", "square")
    )
    for number, corner in enumerate((0, 8, 16, 24, 32, 40)):
        data = draw(shape="circle", colour="red", corner=corner, side=128)
        add(garden, data, f"{number}.png")
    add(garden, draw(shape="square", colour="blue", corner=4, side=96), "small.png")
    return garden


def add(project, data, source) -> Image:
    image, _ = images.add(project=project, data=data, source=source, keywords=["circle"])
    circle = project.concepts.get(name="circle")
    questions.ask_concepts(tiles=[image.tiles.get()], concepts=[circle])
    return image


def test_a_project_of_a_strangers_photographs_gets_split_challenges(photos, ada, alice):
    """From the tick to the answers by parts, with gold drawn as rectangles."""
    circle = photos.concepts.get(name="circle")
    parts.ask(project=photos, by=ada)
    tasks.cut_due_pictures()
    shown = gold.session_of_parts(circle)
    assert len(shown) > 0
    for picture in shown:
        image = Image.objects.get(pk=picture.image)
        gold.mark_rectangles(
            image=image, concept=circle, rectangles=[Rectangle(0, 0, 64, 64)], by=ada
        )
    pools.fill_project(photos)
    challenge = challenges.issue(annotator=alice, project=photos, kind="split")
    assert challenge.kind == "split" and len(challenge.tiles) == 16
    assert {tile.grid for tile in Tile.objects.filter(pk__in=challenge.tiles)} == {4}
    outcome = challenges.answer(challenge=challenge, selected=[1, 2, 5, 6])
    assert outcome.recorded == 16 - challenge.reasons.count("shown")
    with_gold = Question.objects.filter(pk__in=challenge.questions, state="gold").exists()
    assert outcome.passed is (True if with_gold else None)


def test_pictures_are_cut_in_batches_and_small_ones_left_whole(photos, ada, monkeypatch):
    monkeypatch.setattr(parts, "BATCH", 2)
    parts.ask(project=photos, by=ada)
    before = parts.progress(photos)
    assert (before.cut, before.whole, before.small, before.left, before.state) == (
        0,
        7,
        1,
        6,
        "cutting",
    )
    assert parts.run(photos) == 6
    after = parts.progress(photos)
    assert (after.cut, after.small, after.left, after.done, after.state) == (6, 1, 0, 6, "idle")
    assert Tile.objects.filter(grid=4).count() == 96
    assert "4 × 4 parts" in Event.objects.get().message
    assert parts.due() == []


def test_one_that_was_stopped_goes_on_where_it_was(photos, ada, monkeypatch):
    monkeypatch.setattr(parts, "BATCH", 2)
    parts.ask(project=photos, by=ada)
    cut_batch = parts._cut_batch

    def dies_at_the_second(batch):
        if Image.objects.filter(cut_into=4).exists():
            raise KeyboardInterrupt
        return cut_batch(batch)

    monkeypatch.setattr(parts, "_cut_batch", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        parts.run(photos)
    assert parts.progress(photos).cut == 2
    assert parts.run(photos) is None  # its lease goes on for a while
    Cutting.objects.all().revoke()
    monkeypatch.setattr(parts, "_cut_batch", cut_batch)
    assert parts.due() == [photos]
    assert parts.run(photos) == 4
    assert parts.progress(photos).done == 6


def test_whole_pictures_are_asked_no_more_but_what_was_begun_is_finished(photos, ada, alice):
    begun, unasked, *_ = Question.objects.filter(grid=1, tile__width=128)
    answer(alice, {begun.pk: True})
    parts.ask(project=photos, by=ada)
    parts.run(photos)
    assert Question.objects.filter(pk=begun.pk).exists()
    assert not Question.objects.filter(pk=unasked.pk).exists()
    assert Question.objects.filter(grid=1).count() == 2  # with that of the small one
    assert NewPictures.objects.filter(grid=4).exists()


def test_new_pictures_are_cut_soon_while_it_is_ticked(photos, ada):
    parts.ask(project=photos, by=ada)
    parts.run(photos)
    add(photos, draw(shape="circle", colour="blue", corner=2, side=128), "new.png")
    assert parts.due() == [photos]
    tasks.cut_due_pictures()
    assert Image.objects.get(source="new.png").cut_into == 4
    parts.stop(project=photos, by=ada)
    late = add(photos, draw(shape="circle", colour="green", corner=2, side=128), "late.png")
    tasks.cut_due_pictures()
    late.refresh_from_db()
    assert late.cut_into == 0


def test_pictures_are_put_back_but_for_those_of_whose_parts_something_is_known(photos, ada, alice):
    circle = photos.concepts.get(name="circle")
    parts.ask(project=photos, by=ada)
    parts.run(photos)
    answered, known, remarked, *_ = Image.objects.filter(cut_into=4)
    questions.ask_concepts(tiles=answered.tiles.filter(grid=4), concepts=[circle])
    answer(alice, {Question.objects.filter(tile__image=answered, grid=4).first().pk: True})
    gold.mark_rectangles(image=known, concept=circle, rectangles=[], by=ada)
    Comment.objects.create(project=photos, tile=remarked.tiles.filter(grid=4).first(), text="?")
    parts.stop(project=photos, by=ada, restore=True)
    assert parts.progress(photos).state == "restoring"
    tasks.cut_due_pictures()
    after = parts.progress(photos)
    assert (after.cut, after.done, after.kept, after.state) == (3, 3, 3, "idle")
    assert set(Image.objects.filter(cut_into=4)) == {answered, known, remarked}
    assert Tile.objects.filter(grid=4).count() == 48
    assert NewPictures.objects.filter(grid=1).exists()


def test_challenges_that_show_parts_which_go_away_expire(photos, ada, alice):
    parts.ask(project=photos, by=ada)
    parts.run(photos)
    pools.fill_project(photos)
    challenge = challenges.issue(annotator=alice, project=photos, kind="split")
    parts.stop(project=photos, by=ada, restore=True)
    parts.run(photos)
    with pytest.raises(challenges.Expired):
        challenges.find(challenges.token(challenge), Annotator.objects.get(pk=alice.pk))
    assert Challenge.objects.filter(pk=challenge.pk).exists()


def test_one_picture_is_cut_or_kept_whole_whatever_becomes_of_others(photos, ada):
    first, second, *_ = Image.objects.filter(width=128)
    parts.cut_picture(image=first, by=ada)
    assert Image.objects.get(pk=first.pk).cut_into == 4
    parts.ask(project=photos, by=ada)
    parts.run(photos)
    parts.restore_picture(image=Image.objects.get(pk=second.pk), by=ada)
    assert parts.due() == [] and parts.progress(photos).kept_whole == 1
    with pytest.raises(PartsError, match="128 a side"):
        parts.cut_picture(image=Image.objects.get(source="small.png"), by=ada)
    with pytest.raises(PartsError, match="stays cut"):
        gold.mark_rectangles(
            image=Image.objects.get(pk=first.pk),
            concept=photos.concepts.first(),
            rectangles=[],
            by=ada,
        )
        parts.restore_picture(image=Image.objects.get(pk=first.pk), by=ada)


def test_ticking_again_while_pictures_are_put_back_cuts_them(photos, ada):
    parts.ask(project=photos, by=ada)
    parts.run(photos)
    parts.stop(project=photos, by=ada, restore=True)
    parts.ask(project=photos, by=ada)
    parts.run(photos)
    assert parts.progress(photos).cut == 6


def test_a_new_concept_asks_no_cut_picture_as_a_whole(photos, ada):
    from labeling import concepts

    parts.ask(project=photos, by=ada)
    parts.run(photos)
    Image.objects.update(stated_keys=["dot"])
    concepts.create(project=photos, name="dot")
    asked = Question.objects.filter(concept__name="dot", grid=1)
    assert set(asked.values_list("tile__image__source", flat=True)) == {"small.png"}
