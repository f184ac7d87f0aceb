"""Concepts named by folders and by a file."""

import io

import pytest
from django.core.management import CommandError, call_command

from labeling import snapshot_rows
from labeling.concepts import edit
from labeling.models import Concept, Image, Project, Question
from labeling.tasks import fill_due_pools
from tests.labeling.imports.sources import fill, prior, publish, refused, take, write, zipped
from tests.pictures import jpeg, png

pytestmark = pytest.mark.django_db


PICTURES = [("cat/0.jpg", jpeg(0)), ("cat/1.jpg", jpeg(1)), ("dog/2.png", png(2))]


def test_a_folder_name_is_a_concept_as_far_as_imports_are_believed(tmp_path):
    take(zipped(tmp_path / "a.zip", PICTURES))
    assert list(Concept.objects.values_list("name", "phrase")) == [
        ("cat", "a cat"),
        ("dog", "a dog"),
    ]
    assert Concept.objects.get(name="cat").prevalence == pytest.approx(2 / 3)
    assert prior("cat", "cat/0.jpg") == prior("dog", "dog/2.png") == pytest.approx(0.9)
    publish()
    fill_due_pools()
    assert prior("dog", "cat/0.jpg") == prior("cat", "dog/2.png") == pytest.approx(0.1)
    assert not Question.objects.exclude(state="open").exists()


def test_a_later_imports_folder_is_as_frequent_as_it_is_among_all_pictures(tmp_path):
    take(zipped(tmp_path / "a.zip", PICTURES))
    take(zipped(tmp_path / "b.zip", [("horse/3.jpg", jpeg(3))]))
    assert Concept.objects.get(name="horse").prevalence == pytest.approx(1 / 4)


@pytest.mark.parametrize("name", ["train", "test", "val2017", "images", "0001", "a", "photos"])
def test_folders_that_only_sort_are_no_concepts(name, tmp_path):
    take(zipped(tmp_path / "a.zip", [(f"{name}/0.jpg", jpeg())]))
    assert not Concept.objects.exists()


def test_a_folders_name_may_hold_joiners(box):
    name = "\u06a9\u062a\u0627\u0628\u200c\u062e\u0627\u0646\u0647"
    fill(box, **{f"{name}/a.png": png()})
    take(box)
    assert Concept.objects.get().name == name


def test_names_that_differ_in_spelling_alone_are_one_concept(box, tmp_path):
    file = tmp_path / "concepts.txt"
    file.write_text("Stra\u00dfe\n")
    fill(box, **{"STRASSE/a.png": png(1), "other/b.png": png(2), "other/b.txt": "stra\u00dfe"})
    take(box, concepts=file)
    assert Concept.objects.get().name == "Stra\u00dfe"
    assert prior("Stra\u00dfe", "STRASSE/a.png") == prior("Stra\u00dfe", "other/b.png") == 0.9


def test_a_concepts_file_says_what_is_asked(box, tmp_path):
    file = tmp_path / "concepts.txt"
    file.write_text("# what to ask\nbicycle\nfood: something to eat\nCat\n\n")
    fill(box, **{"cat/a.jpg": jpeg(1), "dog/b.jpg": jpeg(2), "dog/b.txt": "bicycle, street"})
    take(box, concepts=file)
    assert dict(Concept.objects.values_list("name", "phrase")) == {
        "Cat": "a Cat",
        "bicycle": "a bicycle",
        "food": "something to eat",
    }
    publish()
    fill_due_pools()
    assert Question.objects.filter(kind="concept").count() == 6
    assert prior("bicycle", "dog/b.jpg") == prior("Cat", "cat/a.jpg") == 0.9
    assert prior("food", "cat/a.jpg") == 0.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names no concept"),
        (b"\xfc\xfe", "not UTF-8"),
        (b"\0", "NUL"),
        (b": a thing", "line 1 names no concept"),
        (b"ok\n" + b"x" * 81, "line 2 is longer than 80"),
        (b"\x1b[31mred", "line 1 names no concept"),
        ("\n".join(f"c{n}" for n in range(1001)).encode(), "1,000 are the limit"),
        (None, "cannot be read"),
    ],
)
def test_a_concepts_file_with_nonsense_is_refused_before_anything_is_made(
    content, message, box, tmp_path
):
    write(box, "a.jpg", jpeg())
    file = tmp_path / "concepts.txt"
    if content is not None:
        file.write_bytes(content)
    assert message in refused(box, concepts=file)
    assert not Project.objects.exists()


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.django_db(transaction=True)
def test_a_file_adds_concepts_to_the_pictures_that_are_there(box, tmp_path, client, again):
    fill(box, **{f"{n}.png": png(n) for n in range(12)}, **{"3.txt": "street, velo, sun"})
    assert "The project has no concepts" in take(box)
    publish()
    file = tmp_path / "concepts.txt"
    file.write_text("velo: a bicycle\ncloud\n")
    body = {"project": "photos", "kind": "grid"}
    assert client.post("/api/v1/challenges/", body, "application/json").status_code == 204
    if again:
        output = take(box, concepts=file)
        assert "imported 0, already there 12" in output and "no concepts" not in output
    else:
        assert added(file) == "added 2 concepts, already there 0.\n"
        assert added(file) == "added 0 concepts, already there 2.\n"
        file.write_text("velo\nVELO\nrain\n")
        assert added(file) == "added 1 concept, already there 1.\n"
    assert prior("velo", "3.png") == 0.9
    shown = [client.post("/api/v1/challenges/", body, "application/json") for _ in range(2)]
    assert {each.json()["subject"] for each in shown} <= {"a bicycle", "a cloud"}


def added(file) -> str:
    out = io.StringIO()
    call_command("import_images", project="photos", concepts=file, stdout=out)
    return out.getvalue()


def test_a_file_alone_needs_a_project(tmp_path):
    with pytest.raises(CommandError, match="Name a SOURCE of pictures, or concepts with"):
        call_command("import_images", project="photos")
    file = tmp_path / "concepts.txt"
    file.write_text("cat")
    with pytest.raises(CommandError, match="There is no project photos: name a SOURCE"):
        added(file)


def test_a_keyword_and_a_folder_that_equal_an_alias_count_for_the_concept(box, tmp_path):
    fill(box, **{"cat/a.png": png(1), "dog/b.png": png(2)})
    take(box)
    edit(concept=Concept.objects.get(name="cat"), aliases=["kitty", "猫"])
    fill(box, **{"Kitty/c.png": png(3), "dog/d.png": png(4), "dog/d.txt": "sofa, \u732b, sun"})
    file = tmp_path / "concepts.txt"
    file.write_text("cat\ndog\n")
    take(box, concepts=file)
    assert set(Concept.objects.values_list("name", flat=True)) == {"cat", "dog"}
    assert prior("cat", "Kitty/c.png") == prior("cat", "dog/d.png") == 0.9


def test_a_keyword_that_equals_an_alias_counts_in_snapshots(box):
    fill(box, **{"cat/a.png": png(1), "dog/b.png": png(2), "dog/b.txt": "sofa, kitty, sun"})
    take(box)
    cat = edit(concept=Concept.objects.get(name="cat"), aliases=["kitty"])
    rows = snapshot_rows.build(
        project=cat.project,
        concepts=snapshot_rows.concepts_of(cat.project),
        include_generated=False,
    )
    by_source = {each.row["source"]: each.row for each in rows}
    listed = by_source["dog/b.png"]["concepts"]
    assert {each["name"]: each["probability"] for each in listed}["cat"] == 0.9
    assert by_source["dog/b.png"]["tags"] == ["sofa", "cat", "sun", "dog"]


def test_folders_that_name_no_concept_are_told(box):
    fill(box, **{f"{name}/1.png": png(n) for n, name in enumerate(["cat", "photo", "x" * 90])})
    assert f"Folders that name no concept: photo, {'x' * 90}." in take(box)


def test_too_many_folders_ask_for_a_concepts_file(box):
    for number in range(101):
        write(box, f"kind {number}/a.jpg", b"never read")
    assert "--concepts" in refused(box)
    assert not Image.objects.exists()
