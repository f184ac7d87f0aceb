"""Gold comes in with pictures, by a field or by folders, and goes with the import."""

import json

import pytest

from labeling import gold
from labeling.imports import undo
from labeling.imports.gold import of_folder
from labeling.models import GoldMark, Image, Import, Project, Question
from tests.labeling.imports.sources import fill, take, write
from tests.pictures import png

pytestmark = pytest.mark.django_db


def truths() -> dict[tuple[str, str], bool]:
    known = Question.objects.filter(state="gold")
    rows = known.values_list("tile__image__source", "concept__name", "verdict")
    return {(source, concept): verdict for source, concept, verdict in rows}


def rows(box, *given):
    write(box, "metadata.jsonl", "\n".join(json.dumps(row) for row in given))


@pytest.mark.parametrize(
    ("folder", "stated"),
    [
        ("gold/bird", ("bird", True)),
        ("box/Gold/not bird", ("bird", False)),
        ("gold/no_bird", ("bird", False)),
        ("gold/nobody", ("nobody", True)),
        ("gold", None),
        ("golden/bird", None),
        ("gold/bird/small", None),
    ],
)
def test_folders_below_gold_say_what_their_pictures_show(folder, stated):
    assert of_folder(folder) == stated


def test_a_concept_with_a_no_in_its_name_is_not_negated():
    assert of_folder("gold/no entry", {"no entry": None}) == ("no entry", True)


def test_folders_of_gold_are_no_classes(box):
    fill(box, **{"gold/bird/a.png": png(1), "gold/not bird/b.png": png(2), "bird/c.png": png(3)})
    output = take(box, concepts="bird")
    assert truths() == {("gold/bird/a.png", "bird"): True, ("gold/not bird/b.png", "bird"): False}
    assert set(Project.objects.get().concepts.values_list("name", flat=True)) == {"bird"}
    assert "2 texts of gold: 2 attached, 0 refused." in output
    assert Import.objects.get().counts["texts"]["gold"]["attached"] == 2


def test_a_field_names_what_is_gold_and_what_is_not(box):
    fill(box, **{"a.png": png(1), "b.png": png(2), "c.png": png(3)})
    rows(
        box,
        {"file_name": "a.png", "gold": {"bird": True, "owl": False}},
        {"file_name": "b.png", "gold": ["owl", "-bird"], "text": "an owl"},
    )
    write(box, "c.json", json.dumps({"gold": {"Bird": False}}))
    take(box, concepts="bird,owl")
    assert truths() == {
        ("a.png", "bird"): True,
        ("a.png", "owl"): False,
        ("b.png", "owl"): True,
        ("b.png", "bird"): False,
        ("c.png", "bird"): False,
    }


def test_every_text_of_gold_is_attached_or_refused_with_a_reason(box):
    fill(box, **{"a.png": png(1), "b.png": png(2), "c.png": png(3)})
    rows(
        box,
        {"file_name": "a.png", "gold": {"bird": True, "unicorn": True, "owl": "yes"}},
        {"file_name": "b.png", "gold": ["bird", "-bird", 7]},
        {"file_name": "c.png", "gold": {"bird": False}},
    )
    output = take(box, concepts="bird,owl")
    counts = Import.objects.get().counts
    assert counts["texts"]["gold"] == {"read": 7, "attached": 3, "refused": 4}
    for reason in (
        "its gold names “unicorn”, which is no concept",
        "its gold of “owl” is neither true nor false",
        "its gold of “bird” is both yes and no",
        "its gold names nothing that a concept can be named",
    ):
        assert reason in output


def test_importing_again_adds_nothing_and_what_people_marked_stays(box, ada):
    fill(box, **{"gold/bird/a.png": png(1)})
    take(box, concepts="bird")
    take(box, concepts="bird")
    assert GoldMark.objects.count() == 1
    image = Image.objects.get()
    concept = image.project.concepts.get()
    gold.mark(tile=image.tiles.get(), concept=concept, value=False, by=ada)
    output = take(box, concepts="bird")
    assert "its truth was known, or decided, to be the other one" in output
    assert Import.objects.order_by("-pk").first().counts["texts"]["gold"]["refused"] == 1
    assert Question.objects.get().verdict is False


def test_gold_that_an_import_says_is_put_right_by_the_next_one_and_holds_again_without_it(box):
    fill(box, **{"a.png": png(1), "b.png": png(2)})
    rows(box, *({"file_name": f"{name}.png", "gold": {"bird": True}} for name in "ab"))
    take(box, concepts="bird")
    rows(box, {"file_name": "a.png", "gold": {"bird": False}})
    output = take(box)
    assert truths() == {("a.png", "bird"): False, ("b.png", "bird"): True}
    assert "1 text of gold of earlier imports retracted:\n  a.png: bird: yes\n" in output
    rows(box, {"file_name": "a.png", "gold": {"bird": True}})
    take(box)
    assert truths()["a.png", "bird"] is True
    first, second, third = Import.objects.order_by("pk")
    undo.undo(third, None)
    assert truths()["a.png", "bird"] is False
    undo.undo(second, None)
    assert truths() == {("a.png", "bird"): True, ("b.png", "bird"): True}
    undo.undo(first, None)
    assert truths() == {}


def test_gold_is_not_put_back_to_an_import_that_was_taken_back_before(box):
    fill(box, **{"a.png": png(1)})
    take(box, concepts="bird")
    for truth in (True, False, True):
        rows(box, {"file_name": "a.png", "gold": {"bird": truth}})
        take(box)
    _, first, second, third = Import.objects.order_by("pk")
    undo.undo(second, None)
    assert truths() == {("a.png", "bird"): True}
    undo.undo(third, None)
    assert (
        truths() == {("a.png", "bird"): True}
        and GoldMark.objects.get(ended_at=None).imported_by == first
    )


def test_undoing_an_import_takes_its_gold_back(box, ada):
    fill(box, **{"a.png": png(1)})
    take(box, concepts="bird")
    write(box, "a.json", json.dumps({"gold": {"bird": True}}))
    take(box, concepts="bird")
    assert len(truths()) == 1
    later = Import.objects.order_by("-pk").first()
    undone = undo.undo(later, ada)
    assert undone.state == "undone" and truths() == {}
    assert undone.counts["gold"] == 1
    assert Image.objects.count() == 1
