"""What may be the name of a concept, and that each names one concept of its project."""

import pytest

from labeling import concepts
from labeling.concepts import ConceptError, Conflict
from labeling.models import Concept, Project

pytestmark = pytest.mark.django_db
JOINED = "\u06a9\u062a\u0627\u0628\u200c\u062e\u0627\u0646\u0647"


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("bicycle", "a bicycle"),
        ("apple", "an apple"),
        ("Étude", "a Étude"),
        ("cat, black", "a cat, black"),
        ("犬", "犬"),
        (JOINED, JOINED),
        ("n02084071", "n02084071"),
        ("2023 cars", "2023 cars"),
    ],
)
def test_a_phrase_is_made_from_the_name(shapes, name, phrase):
    concept = concepts.create(project=shapes, name=name)
    assert (concept.name, concept.phrase) == (name, phrase)


def test_a_name_is_kept_in_one_form(shapes):
    assert concepts.create(project=shapes, name=" polar\u00a0 bear ").name == "polar bear"
    assert concepts.create(project=shapes, name="e\u0301tude").name == "étude"


@pytest.mark.parametrize(
    ("name", "why"),
    [("", "empty"), (" ", "empty"), ("x" * 81, "81 characters"), ("a\x1b[31m", "control")],
)
def test_what_cannot_be_a_name_is_refused_in_a_sentence(shapes, name, why):
    with pytest.raises(ConceptError, match=why):
        concepts.create(project=shapes, name=name)
    assert shapes.concepts.count() == 2


def test_a_taken_name_says_which_concept_has_it(shapes):
    circle = shapes.concepts.get(name="circle")
    concepts.edit(concept=circle, aliases=["disc"])
    with pytest.raises(Conflict, match="there is a concept “circle” already"):
        concepts.create(project=shapes, name="CIRCLE")
    with pytest.raises(Conflict, match="“Disc” is taken: it is an alias of “circle”"):
        concepts.create(project=shapes, name="ring", aliases=["Disc"])
    with pytest.raises(Conflict, match="an alias of “circle”"):
        concepts.edit(concept=shapes.concepts.get(name="square"), name="disc")
    assert set(shapes.concepts.values_list("name", flat=True)) == {"circle", "square"}


def test_another_project_may_use_the_name(shapes):
    garden = Project.objects.create(state="open", slug="garden", name="Garden")
    assert concepts.create(project=garden, name="circle").project == garden


def test_concepts_are_found_by_name_and_alias(shapes):
    circle = concepts.edit(concept=shapes.concepts.get(name="circle"), aliases=["disc", "Round"])
    by_key = concepts.by_key(shapes)
    assert by_key["circle"] == by_key["disc"] == by_key["round"] == circle


def test_an_alias_is_kept_once_and_is_never_the_name(shapes):
    circle = Concept.objects.get(name="circle")
    aliases = ["disc", "Disc", "CIRCLE", "", "round thing"]
    assert concepts.edit(concept=circle, aliases=aliases).aliases == ["disc", "round thing"]
    with pytest.raises(ConceptError, match="101 aliases are too many"):
        concepts.edit(concept=circle, aliases=[f"alias {n}" for n in range(101)])
