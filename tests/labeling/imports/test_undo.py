"""An import is taken back whole, and nothing else with it."""

import json
import random
from collections.abc import Collection
from functools import partial

import pytest
from django.test import TestCase

from labeling import beliefs, concepts, review
from labeling.beliefs import Statements
from labeling.imports import jobs, source, undo
from labeling.models import (
    ClassSet,
    Concept,
    Event,
    Image,
    Import,
    ImportStatement,
    Project,
    Question,
    RemovedImage,
    TextSource,
)
from tests.cast import answer
from tests.labeling.imports.sources import write
from tests.pictures import png

pytestmark = pytest.mark.django_db
PICTURES = [png(number, (32, 32)) for number in range(5)]


class Shelf:
    """A project, and imports into it from folders of their own."""

    def __init__(self, folder, slug: str) -> None:
        self.folder = folder / slug
        self.project = Project.objects.create(slug=slug, name=slug, state="open")

    def take(self, files: dict[str, bytes | str], *names: str) -> Import:
        """Import files, with concepts."""
        box = self.folder / f"box{self.project.imports.count()}"
        for name, data in files.items():
            write(box, name, data)
        record = Import.objects.create(project=self.project, name=box.name, state="importing")
        members = source.find(box)
        jobs.prepare(record, members)
        jobs.execute(record, members, concepts=list(names), renew=lambda done: None)
        Import.objects.filter(pk=record.pk).update(state="done", concepts=list(names))
        return record

    def undo(self, record: Import, by=None) -> Import:
        with TestCase.captureOnCommitCallbacks(execute=True):
            return undo.undo(record, by)

    def images(self) -> list[object]:
        """Return what is known of each picture."""
        rows = self.project.images.select_related("class_set", "imported_by").order_by("sha256")
        return [
            (
                row.sha256,
                row.source,
                row.further_sources,
                row.keywords,
                row.stated_keys,
                row.license,
                row.class_set and self.names(row.class_set),
                row.imported_by and row.imported_by.name,
                row.text_source and self.origin(row.text_source),
                sorted(
                    (caption.text, caption.stated, self.origin(caption.text_source))
                    for caption in Question.objects.filter(
                        kind="caption", tile__image=row, stated__isnull=False
                    )
                ),
            )
            for row in rows
        ]

    def text_sources(self) -> list[tuple[str, ...]]:
        """Return all places from which texts come that are still there."""
        rows = TextSource.objects.filter(imported_by__project=self.project)
        return sorted(map(self.origin, rows.select_related("imported_by")))

    def origin(self, of: TextSource) -> tuple[str, ...]:
        return of.imported_by.name, of.layout, of.file, of.url

    def names(self, classes: ClassSet) -> list[str]:
        return sorted(
            Concept.objects.filter(pk__in=classes.concepts).values_list("name", flat=True)
        )

    def concepts(self) -> set[str]:
        return set(self.project.concepts.values_list("name", flat=True))

    def stated(self, without: Collection[str] = ()) -> dict[tuple[str, str], float]:
        """Return what is stated of each picture and concept."""
        rows = list(self.project.concepts.exclude(name__in=without).order_by("name"))
        tiles = {image.tiles.get().pk: image.sha256 for image in self.project.images.all()}
        facts = beliefs.facts(tiles)
        table = Statements(self.project, rows).of(facts)
        return {
            (tiles[fact.tile], concept.name): float(table[n, column])
            for n, fact in enumerate(facts)
            for column, concept in enumerate(rows)
            if table[n, column] == table[n, column]
        }

    def asked(self) -> dict[tuple[str, str], float]:
        """Return what stored questions say that is stated, where they say something."""
        rows = Question.objects.filter(
            project=self.project, kind="concept", stated__isnull=False
        ).values_list("tile__image__sha256", "concept__name", "stated")
        return {(sha256, name): stated for sha256, name, stated in rows}


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path, "shelf")


def files(**texts: str) -> dict[str, bytes | str]:
    """Return pictures by number, each with a text beside it."""
    found: dict[str, bytes | str] = {}
    for name, text in texts.items():
        number = int(name[-1])
        found[f"{number}.png"] = PICTURES[number]
        if text:
            found[f"{number}.txt"] = text
    return found


def test_pictures_that_it_brought_are_gone_with_its_concepts(shelf, ada):
    record = shelf.take({"owl/0.png": PICTURES[0], "swan/1.png": PICTURES[1]}, "owl", "swan")
    undone = shelf.undo(record, ada)
    assert (undone.state, undone.undone_by) == ("undone", ada)
    assert not Image.objects.exists() and not Question.objects.exists()
    assert not Concept.objects.exists() and not ClassSet.objects.exists()
    assert undone.counts["removed"] == 2 and undone.counts["concepts"] == 2
    assert undone.counts["taken"] == 2
    assert RemovedImage.objects.filter(undone=record).count() == 2
    messages = Event.objects.filter(kind="import").order_by("pk").values_list("message", "actor")
    assert [actor for _, actor in messages][-2:] == ["ada", "ada"]
    assert "Took back the import box0: 2 pictures removed" in messages[3][0]


def test_what_it_stated_of_others_pictures_is_taken_back(shelf):
    shelf.take(files(_0="owl, sky, day"), "owl")
    before = shelf.images(), shelf.stated(), shelf.asked()
    record = shelf.take(files(_0="swan, owl, lake", _1="swan, sea, sun"), "swan")
    assert shelf.stated() != before[1]
    shelf.undo(record)
    assert (shelf.images(), shelf.stated(), shelf.asked()) == before
    assert not ImportStatement.objects.exists()


def test_a_picture_that_a_later_import_brought_again_stays_as_that_describes_it(shelf):
    first = shelf.take({**files(_0="owl, sky, day"), "1.png": PICTURES[1]}, "owl")
    second = shelf.take({"swan/a.png": PICTURES[0], "swan/a.txt": "lake, sun, sea"}, "swan")
    shelf.undo(first)
    (image,) = Image.objects.all()
    assert (image.source, image.imported_by) == ("swan/a.png", second)
    assert image.keywords == ["lake", "sun", "sea"] and image.further_sources == []
    assert list(shelf.stated().values()) == [0.9]
    assert list(Concept.objects.values_list("name", flat=True)) == ["swan"]


def test_captions_go_unless_another_import_states_them_too(shelf):
    shelf.take({"0.png": PICTURES[0], "0.txt": "an owl at night in a tree"})
    record = shelf.take(
        {"0.png": PICTURES[0], "0.txt": "an owl at night in a tree\na bird in the dark, far off"}
    )
    shelf.undo(record)
    caption = Question.objects.get(kind="caption")
    assert (caption.text, caption.stated) == ("an owl at night in a tree", 0.9)
    assert caption.text_source.imported_by != record


def test_a_caption_that_people_answered_stays_and_nobody_states_it(shelf, alice):
    shelf.take({"0.png": PICTURES[0], "0.txt": "an owl at night in a tree"})
    record = shelf.take({"0.png": PICTURES[0], "0.txt": "a bird in the dark, far off"})
    answer(alice, {question.pk: True for question in Question.objects.filter(kind="caption")})
    undone = shelf.undo(record)
    owl, bird = Question.objects.filter(kind="caption").order_by("-text")
    assert (owl.text, owl.stated, owl.answers_count) == ("an owl at night in a tree", 0.9, 0)
    assert (bird.stated, bird.text_source, bird.answers_count) == (None, None, 1)
    assert 0.5 < bird.probability < 0.95, "what the answer says, and no import"
    assert undone.counts["archived"] == 0


def test_a_concept_that_people_explained_or_another_import_names_stays(shelf):
    record = shelf.take(files(_0="owl, sky, day", _1="owl, swan, tit"), "owl", "swan", "tit", "sky")
    shelf.take(files(_2="owl, lake, sun"))
    shelf.take(files(_3="night"), "tit")
    concepts.edit(concept=Concept.objects.get(name="swan"), definition="Large and white.")
    shelf.undo(record)
    assert set(Concept.objects.values_list("name", flat=True)) == {"owl", "swan", "tit"}


def test_a_concept_goes_with_the_last_import_that_chose_it(shelf):
    first = shelf.take(files(_0="owl, sky, day"), "owl")
    second = shelf.take(files(_1="owl, sky, day"), "owl")
    shelf.undo(first)
    assert Concept.objects.exists()
    shelf.undo(second)
    assert not Concept.objects.exists()


def test_a_concept_that_was_decided_about_stays(shelf, ada):
    keeper = shelf.take(files(_0="owl, sky, day"))
    record = shelf.take(files(_1="owl, sky, day"), "owl")
    question = Question.objects.filter(concept__name="owl", tile__image__imported_by=keeper).get()
    review.decide(question=question, value=True, by=ada)
    shelf.undo(record)
    assert Question.objects.get(pk=question.pk).verdict is True


def test_a_concept_that_stays_is_as_frequent_as_the_remaining_pictures_say(shelf):
    shelf.take(files(_0="owl, sky, day", _1="swan, lake, sun", _2="tit, lake, sun"))
    record = shelf.take(files(_3="owl, sky, day"), "owl")
    owl = Concept.objects.get(name="owl")
    assert owl.prevalence == pytest.approx(2 / 4)
    shelf.undo(record)
    owl.refresh_from_db()
    assert owl.prevalence == pytest.approx(1 / 3)


def test_only_what_is_done_can_be_taken_back_and_only_once(shelf):
    record = shelf.take(files(_0="owl, sky, day"))
    Import.objects.update(state="importing")
    with pytest.raises(undo.UndoError, match="cancel it first"):
        shelf.undo(record)
    Import.objects.update(state="done")
    shelf.undo(record)
    with pytest.raises(undo.UndoError, match="taken back already"):
        shelf.undo(record)


def test_one_that_was_interrupted_goes_on(shelf, monkeypatch):
    monkeypatch.setattr(undo, "BATCH", 2)
    shelf.take(files(_0="owl, sky, day"), "owl")
    record = shelf.take(files(_0="swan", _1="", _2="", _3="", _4=""), "swan")
    begun = undo.begin(record, None)

    def kill(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undo.run(begun, kill)
    assert Image.objects.count() == 3
    assert not undo.waiting().exists()  # its lease has yet to run out
    Import.objects.update(lease_until="2020-01-01T00:00Z")
    assert list(undo.waiting()) == [record]
    undone = undo.run(record)
    assert undone.state == "undone"
    assert (undone.counts["removed"], undone.counts["restored"]) == (4, 1)
    assert Image.objects.get().keywords == ["owl", "sky", "day"]


def test_an_import_that_goes_on_states_nothing_twice(shelf):
    shelf.take(files(_0="owl, sky, day"), "owl")
    record = shelf.take(files(_0="swan"), "swan")
    before = shelf.images(), ImportStatement.objects.count()
    members = source.find(shelf.folder / record.name)
    jobs.execute(record, members, concepts=["swan"], renew=lambda done: None)
    assert (shelf.images(), ImportStatement.objects.count()) == before
    assert record.counts["known"] == 1


def make(rng: random.Random) -> tuple[dict[str, bytes | str], list[str]]:
    """Return a random source: pictures in folders, with copies, texts and where those come from."""
    made: dict[str, bytes | str] = {}
    for number, data in enumerate(PICTURES):
        for copy in range(rng.choice([0, 1, 1, 2])):
            stem = f"{rng.choice(['', 'owl/', 'swan/'])}{rng.choice('ab')}{number}{copy or ''}"
            made[f"{stem}.png"] = data
            words = rng.sample(["owl", "swan", "tit", "sky"], rng.randint(1, 3))
            text = {0: "", 1: ", ".join(words), 2: f"a {words[0]} near a {words[-1]} at dusk"}
            made[f"{stem}.txt"] = text[rng.randint(0, 2)]
    made[f"z{rng.randint(0, 9)}.png"] = PICTURES[0]
    pictures = [name for name in made if name.endswith(".png")]
    rows = [
        {
            "file_name": name,
            "text": f"{rng.choice(['one', 'two'])} in the picture, far away",
            "tags": rng.sample(["owl", "lake"], rng.randint(0, 2)),
            "url": f"https://a.example/{rng.randint(0, 1)}",
            "license": rng.choice(["", "MIT", "CC0"]),
        }
        for name in rng.sample(pictures, rng.randint(0, min(3, len(pictures))))
    ]
    made["metadata.jsonl"] = "\n".join(map(json.dumps, rows)) or "{}"
    return made, rng.sample(["owl", "swan", "tit"], rng.randint(0, 3))


@pytest.mark.parametrize("seed", [1, 4, 6, 9])
def test_imports_and_undos_in_any_order_leave_what_the_remaining_imports_make(
    tmp_path, seed, alice
):
    rng = random.Random(seed)
    shelf, expected = Shelf(tmp_path, "shelf"), Shelf(tmp_path, "expected")
    made: list[tuple[Import, partial[Import]]] = []
    for _ in range(7):
        if made and rng.random() < 0.45:
            record, _ = made.pop(rng.randrange(len(made)))
            assert shelf.undo(record).state == "undone"
        else:
            files_made, names = make(rng)
            made.append(
                (shelf.take(files_made, *names), partial(expected.take, files_made, *names))
            )
        captions = Question.objects.filter(project=shelf.project, kind="caption").order_by("pk")
        unanswered = captions.filter(answers_count=0)
        answer(alice, {each.pk: rng.random() < 0.5 for each in unanswered[: rng.randint(0, 3)]})
    for record, again in made:
        Import.objects.filter(pk=again().pk).update(name=record.name)
    stays = shelf.concepts() - expected.concepts()
    assert expected.concepts() <= shelf.concepts()
    assert all(Image.objects.filter(stated_keys__contains=[name]).exists() for name in stays)
    assert shelf.images() == expected.images()
    assert shelf.text_sources() == expected.text_sources()
    assert shelf.stated(without=stays) == expected.stated()
    assert {pair: shelf.stated()[pair] for pair in shelf.asked()} == pytest.approx(shelf.asked())


def test_what_another_import_says_meanwhile_stays_and_nothing_else_does(shelf, monkeypatch):
    record = shelf.take({"0.png": PICTURES[0], "0.txt": "an owl at night in a tree"})
    settle, later = undo._Undoing._settle_boxes, []

    def interrupted(self, ids):
        if not later:  # between the captions and the pictures
            later.append(shelf.take({"1.png": PICTURES[0], "1.txt": "a bird in the dark"}))
        settle(self, ids)

    monkeypatch.setattr(undo._Undoing, "_settle_boxes", interrupted)
    shelf.undo(record)
    (image,) = shelf.project.images.all()
    (caption,) = Question.objects.filter(kind="caption")
    assert (image.imported_by, caption.text) == (later[0], "a bird in the dark")
