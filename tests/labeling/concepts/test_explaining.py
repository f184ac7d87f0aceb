"""Concepts are defined and phrased in several languages, by several owners."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection

from labeling import concepts, examples, merging
from labeling.concepts import ConceptError, Conflict
from labeling.models import Concept, ConceptExample, Event, Project, Question, Tile
from tests.labeling.garden import add

pytestmark = pytest.mark.django_db


@pytest.fixture
def circle(shapes: Project) -> Concept:
    return shapes.concepts.get(name="circle")


@pytest.fixture
def square(shapes: Project) -> Concept:
    return shapes.concepts.get(name="square")


def whole(project: Project, number: int = 1) -> Tile:
    return Tile.objects.filter(image__project=project, grid=1).order_by("pk")[number]


def phrases(concept: Concept) -> dict[str, str]:
    return dict(concept.phrases.values_list("language", "phrase"))


def test_a_definition_and_phrases_are_kept_and_written_down(circle: Concept, ada: User) -> None:
    concepts.edit(
        concept=circle,
        definition=" Round,  and closed. ",
        phrases={"de": "ein Kreis", "PT_br": "um círculo", "ar": "دائرة", "fr": " "},
        by=ada,
    )
    circle.refresh_from_db()
    assert circle.definition == "Round, and closed."
    assert phrases(circle) == {"de": "ein Kreis", "pt-BR": "um círculo", "ar": "دائرة"}
    concepts.edit(concept=circle, phrases={"de": "ein Rund"}, by=ada)
    assert phrases(circle) == {"de": "ein Rund"}
    sentences = list(Event.objects.order_by("pk").values_list("message", "actor"))
    assert sentences == [
        ("Changed the concept “circle”: definition, phrases.", "ada"),
        ("Changed the concept “circle”: phrases.", "ada"),
    ]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"english please": "a circle"}, "no language tag"),
        ({"en": "a circle"}, "the project's own language"),
        ({"de": "ein Kreis", "DE": "ein Rund"}, "two phrases for de"),
        ({"de": "x" * 101}, "100 are the limit"),
        ({f"a{chr(97 + n // 26)}{chr(97 + n % 26)}": "x" for n in range(41)}, "40 are the limit"),
    ],
)
def test_what_is_no_phrase_is_refused_and_nothing_is_changed(
    circle: Concept, given: dict[str, str], why: str
) -> None:
    with pytest.raises(ConceptError, match=why):
        concepts.edit(concept=circle, name="disc", phrases=given)
    circle.refresh_from_db()
    assert circle.name == "circle" and not phrases(circle)


def test_an_article_is_english(garden: Project) -> None:
    assert concepts.create(project=garden, name="apple").phrase == "an apple"
    Project.objects.filter(pk=garden.pk).update(language="de")
    garden.refresh_from_db()
    apple = concepts.create(project=garden, name="Apfel")
    assert apple.phrase == "Apfel"
    assert concepts.edit(concept=apple, name="Birne").phrase == "Birne"
    assert concepts.edit(concept=apple, phrase="eine Birne").phrase == "eine Birne"


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_save_at_once_the_second_is_told(circle: Concept) -> None:
    def save(definition: str) -> str:
        try:
            concepts.edit(concept=circle, definition=definition, version=circle.version)
        except Conflict as error:
            return str(error)
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(2) as pool:
        refusals = list(pool.map(save, ["Round.", "Without corners."]))
    assert sorted(map(bool, refusals)) == [False, True]
    assert "Somebody else has changed “circle” meanwhile" in "".join(refusals)
    circle.refresh_from_db()
    assert circle.definition == ["Round.", "Without corners."][refusals.index("")]


def test_an_edit_that_changes_nothing_is_no_version(circle: Concept) -> None:
    assert concepts.edit(concept=circle, name="circle", aliases=[]).version == circle.version
    assert not Event.objects.exists()


def test_a_list_adds_what_fits_and_says_what_does_not(circle: Concept, ada: User) -> None:
    concepts.edit(concept=circle, aliases=["disc"])
    text = "ring\nstar: a bright star\n\n# no concept\nDisc\nring\n: a thing\nCIRCLE\n"
    added = concepts.add_lines(project=circle.project, text=text, by=ada)
    assert [(each.name, each.phrase) for each in added.concepts] == [
        ("ring", "a ring"),
        ("star", "a bright star"),
    ]
    assert [(each.number, each.why) for each in added.problems] == [
        (5, "“Disc” is taken: it is an alias of “circle”."),
        (6, "Line 1 names it already."),
        (7, "The name is empty: write what is seen, like “bicycle”."),
        (8, "“CIRCLE” is taken: there is a concept “circle” already."),
    ]
    assert added.rest == "Disc\nring\n: a thing\nCIRCLE"
    assert circle.project.concepts.count() == 4
    assert Event.objects.filter(message="Added the concepts “ring”, “star”.").exists()


@pytest.mark.parametrize("text", ["", "\n # nothing \n", "x\n" * 1_001])
def test_a_list_is_neither_empty_nor_endless(shapes: Project, text: str) -> None:
    with pytest.raises(ConceptError, match=r"empty|too many"):
        concepts.add_lines(project=shapes, text=text)


def test_an_example_decides_its_question(circle: Concept, ada: User) -> None:
    tile = whole(circle.project, 1)
    example = examples.choose(concept=circle, tile=tile, kind="hard_no", note="Cut off.", by=ada)
    question = Question.objects.get(tile=tile, concept=circle)
    assert (question.verdict, question.state) == (False, "settled")
    assert (example.hard, example.shows) == (True, False)
    examples.choose(concept=circle, tile=tile, kind="yes", by=ada)
    question.refresh_from_db()
    assert question.verdict is True and circle.examples.get().note == ""
    examples.remove(example=circle.examples.get(), by=ada)
    question.refresh_from_db()
    assert question.verdict is True and not circle.examples.exists()
    assert Event.objects.filter(message__contains="of “circle”", kind="concept").count() == 3


def test_only_whole_pictures_of_the_project_that_nobody_generated_are_examples(
    scenes, garden: Project, circle: Concept, ada: User
) -> None:
    add(garden, 1)
    drawn = whole(circle.project, 2)
    drawn.image.generated = True
    drawn.image.save()
    for tile, why in (
        (scenes.tiles[0], "part of a picture"),
        (whole(garden, 0), "not one of this project's"),
        (drawn, "A model has drawn"),
    ):
        with pytest.raises(ConceptError, match=why):
            examples.choose(concept=circle, tile=tile, kind="yes", by=ada)
    assert not ConceptExample.objects.exists()


def test_a_concept_has_at_most_twelve(circle: Concept, ada: User) -> None:
    for number in range(12):
        tile = whole(circle.project, number)
        examples.choose(concept=circle, tile=tile, kind="yes", by=ada)
    with pytest.raises(Conflict, match="12 examples: remove one"):
        examples.choose(concept=circle, tile=whole(circle.project, 13), kind="yes", by=ada)
    assert circle.examples.count() == 12
    examples.choose(concept=circle, tile=whole(circle.project, 3), kind="no", by=ada)


def test_a_survivor_takes_over_what_it_lacks(circle: Concept, square: Concept, ada: User) -> None:
    concepts.edit(concept=circle, phrases={"de": "ein Kreis"})
    concepts.edit(concept=square, definition="Four.", phrases={"de": "Viereck", "fr": "un carré"})
    shared, own = whole(circle.project, 1), whole(circle.project, 2)
    examples.choose(concept=circle, tile=shared, kind="yes", by=ada)
    for tile in (shared, own):
        examples.choose(concept=square, tile=tile, kind="no", by=ada)
    merging.merge(concept=square, into=circle, by=ada)
    circle.refresh_from_db()
    assert circle.definition == "Four."
    assert phrases(circle) == {"de": "ein Kreis", "fr": "un carré"}
    assert list(circle.examples.values_list("tile", "kind")) == [
        (shared.pk, "yes"),
        (own.pk, "no"),
    ]
    assert list(square.examples.values_list("tile", flat=True)) == [shared.pk]
