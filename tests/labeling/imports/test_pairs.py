"""Pairs of pictures: imported as one picture each, asked about, and frozen with their fit."""

import io

import pytest
from django.core.management import call_command
from PIL import Image as PillowImage

from labeling import snapshots
from labeling.imports.pairs import CONCEPT
from labeling.models import Import, Pair, Project, Question
from labeling.pair_order import OrderError, ordered
from labeling.snapshots import local_folder
from tests.labeling.garden import rows
from tests.labeling.imports.sources import fill, refused, take
from tests.pictures import encoded, jpeg, patchwork, png
from training.engine.data.pairs import of_pairs
from training.engine.data.pictures import load_halves
from training.engine.data.snapshot import read_snapshot

pytestmark = pytest.mark.django_db


def plain(colour, size=(40, 40)):
    return encoded(PillowImage.new("RGB", size, colour), "PNG")


def letters(box):
    fill(box, **{"a/x.png": plain("red"), "a/y.png": plain("lime"), "b/x.png": plain("blue")})
    fill(box, **{"b/y.jpg": encoded(PillowImage.new("RGB", (20, 80), "black"), "JPEG")})


def counts():
    return Import.objects.latest("pk").counts


def test_two_folders_of_equally_named_pictures_are_pairs(box):
    letters(box)
    fill(box, **{"a/x.txt": "a red thing on a wall"})
    out = take(box, pairs=True)
    assert "imported 2, already there 0, near-duplicates 0, refused 0." in out
    assert sorted(Pair.objects.values_list("image__source", flat=True)) == ["x.png", "y.png"]
    assert set(Pair.objects.values_list("concept__name", flat=True)) == {CONCEPT}
    assert "imported 0, already there 2" in take(box, pairs=True)


def test_which_folder_holds_the_first_halves_is_said_or_asked_for(box):
    fill(box, **{"sketch/x.png": plain("red"), "colours/x.png": plain("blue")})
    error = refused(box, pairs=True)
    assert "holds the first halves" in error and "--first-halves sketch" in error
    assert not Import.objects.exists()
    assert "no folder “ink” with halves" in refused(box, pairs=True, first_halves="ink")
    out = take(box, pairs=True, first_halves="sketch")
    assert "The first halves are those in sketch, the second ones those in colours" in out
    with Pair.objects.get().image.file.open("rb") as file:
        assert PillowImage.open(file).convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert "for --pairs alone" in refused(box, first_halves="sketch")


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("1-sketch", "2-colours"), ("2", "10"), ("Input", "Output"), ("x", "y")],
)
def test_names_of_folders_that_have_an_order_say_it(one, other):
    assert ordered(one, other) == ordered(other, one) == (one, other)
    assert ordered(one, other, first=other) == (other, one)


@pytest.mark.parametrize(("one", "other"), [("lower", "upper"), ("01", "1"), ("a", "c"), ("", "b")])
def test_names_without_an_order_say_nothing(one, other):
    with pytest.raises(OrderError, match="Say which"):
        ordered(one, other)


def test_a_snapshot_taken_in_again_has_its_pairs(box, tmp_path):
    letters(box)
    fill(box, **{"a/x.txt": "a red thing on a wall"})
    take(box, pairs=True)
    snapshot = snapshots.freeze(project=Project.objects.get())
    out = io.StringIO()
    call_command(
        "import_images", str(local_folder(snapshot)), project="again", no_input=True, stdout=out
    )
    assert "2 marks of pairs: 2 attached, 0 refused" in out.getvalue()
    assert Pair.objects.filter(image__project__slug="again").count() == 2


def test_a_strangers_column_called_pair_makes_no_pairs(box):
    wide = encoded(PillowImage.new("RGB", (68, 32)), "PNG")
    fill(box, **{"x.png": wide, "metadata.csv": "file_name,text,pair\nx.png,a dog by a lake,1\n"})
    take(box)
    assert not Pair.objects.exists()


def test_a_snapshot_holds_both_halves_with_the_confidence_that_they_fit(box):
    letters(box)
    fill(box, **{"a/x.txt": "a red thing on a wall"})
    take(box, pairs=True)
    asked = Question.objects.filter(concept__name=CONCEPT)
    assert asked.count() == 2
    asked.filter(tile__image__source="y.png").update(probability=0.03, answers_count=4)
    snapshot = snapshots.freeze(project=Pair.objects.first().image.project)

    fits = {row["source"]: row["pair"] for row in rows(snapshot).values()}
    assert fits == {"x.png": 0.9, "y.png": 0.03}
    assert snapshot.counts["pairs"] == 2
    learnt = of_pairs(read_snapshot(local_folder(snapshot)))
    by_fit = {row.pair: row for row in (*learnt.train, *learnt.test)}
    assert by_fit[0.9].captions[0][0] == "a red thing on a wall"
    first, second = load_halves(by_fit[0.9].path, None, 8)
    assert (first.reshape(-1, 3) == (255, 0, 0)).all()
    assert (second.reshape(-1, 3) == (0, 0, 255)).all()
    narrow = load_halves(by_fit[0.03].path, None, 8)[1, :, :, 0]
    assert (narrow[:, :3] > 200).all() and (narrow[:, 3:5] < 50).all(), "whole, and on white"


def test_a_merged_or_deleted_concept_of_fit_leaves_pairs_as_they_are_believed(box):
    letters(box)
    take(box, pairs=True)
    Pair.objects.update(concept=None)
    snapshot = snapshots.freeze(project=Pair.objects.first().image.project)
    assert {row["pair"] for row in rows(snapshot).values()} == {0.9}


def test_a_table_names_pairs_with_captions(box):
    letters(box)
    table = "first,second,caption\na/x.png,b/y.jpg,a letter\na/y.png,b/x.png,\n"
    fill(box, **{"pairs.csv": table})
    assert "imported 2, already there 0" in take(box, pairs=True)
    assert Question.objects.filter(concept=None).values_list("text", flat=True)[0] == "a letter"
    assert Pair.objects.filter(image__source="a-x--b-y.png").exists()


def test_pairs_whose_files_are_called_alike_are_kept_apart(box):
    letters(box)
    fill(box, **{"a-y.png": plain("navy"), "a/x.jpg": jpeg(7)})
    lines = ["a/y.png,b/x.png", "a-y.png,b/x.png", "a/x.png,b/x.png", "a/x.jpg,b/x.png"]
    fill(box, **{"pairs.csv": "\n".join(["first,second", *lines])})
    assert "imported 4, already there 0, near-duplicates 0, refused 1" in take(box, pairs=True)
    sources = set(Pair.objects.values_list("image__source", flat=True))
    assert {"a-y--b-x.png", "a-y--b-x--3.png", "a-x--b-x.png", "a-x--b-x--5.png"} == sources
    assert "imported 0, already there 4" in take(box, pairs=True)


def test_what_is_of_no_pair_is_refused_and_counted(box):
    letters(box)
    fill(
        box,
        **{"a/alone.png": png(), "b/x.webp": png(), "b/broken.png": b"x", "a/broken.png": png()},
    )
    fill(box, **{"top.png": png(), "a/labels.json": "{}", "a/nobody.txt": "no one"})
    out = take(box, pairs=True)
    assert "imported 2" in out
    for reason in ("it has no other half", "another picture of this name", "its half b/broken.png"):
        assert reason in out
    assert counts()["read"] == counts()["taken"] + counts()["refused"] == 2 + 6


def test_wrong_lines_of_a_table_are_refused_one_by_one(box):
    letters(box)
    lines = ["first,second", "a/x.png,b/x.png", "a/x.png,b/x.png", "a/no.png,b/y.jpg", "a/y.png,"]
    fill(box, **{"pairs.csv": "\n".join([*lines, "../../etc/passwd,b/y.jpg"])})
    out = take(box, pairs=True)
    assert "imported 1" in out
    for reason in ("the same pair stands in line 2", "there is no picture “a/no.png”"):
        assert reason in out
    for reason in ("no second half", "there is no picture “../../etc/passwd”", "in no pair"):
        assert reason in out
    assert counts()["read"] == counts()["taken"] + counts()["refused"] == 1 + 4 + 2


def test_what_holds_no_pairs_is_said_in_a_sentence(box, tmp_path):
    fill(box, **{"a/x.png": png(1), "b/x.png": png(2), "c/x.png": png(3)})
    assert "here, pictures lie in 3: a, b, c" in refused(box, pairs=True)
    fill(box, **{"pairs.csv": "one,two\n"})
    assert "no columns first and second" in refused(box, pairs=True)
    (tmp_path / "one.zip").write_bytes(b"x")
    assert "read from a folder" in refused(tmp_path / "one.zip", pairs=True)


def test_large_halves_are_made_smaller_and_odd_ones_are_taken(box):
    fill(
        box,
        **{
            "a/x.jpg": jpeg(1, size=(2600, 800)),
            "b/x.png": encoded(patchwork(2).convert("L"), "PNG"),
        },
    )
    take(box, pairs=True)
    image = Pair.objects.get().image
    assert (image.width, image.height) == (2 * 1024 + 64, 1024)
