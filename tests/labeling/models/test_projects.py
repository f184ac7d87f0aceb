"""Names of concepts are compared, not just spelled."""

import pytest

from labeling.models import Concept
from labeling.models.projects import movable, name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Circle", "circle"),
        ("STRASSE", "straße"),
        ("e\u0301tude", "\u00e9tude"),
        ("polar\u00a0 bear ", "polar bear"),
        ("ｃａｔ", "CAT"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("light\u00adhouse\u200b", "lighthouse"),
    ],
)
def test_names_are_the_same_however_they_are_spelled(one, other):
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "cats"), ("résumé", "resume"), ("", "a"), ("क्\u200dष", "क्ष")]
)
def test_other_names_are_not(one, other):
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize(("text", "named"), [("A  Bicycle", True), ("bike", False)])
def test_a_concept_is_named_by_its_name_and_its_phrase(text, named):
    concept = Concept(name="bicycle", phrase="a bicycle")
    assert concept.is_named_by("BICYCLE") and concept.is_named_by(text) == named


@pytest.mark.parametrize(("prior", "moved"), [(0.0, 0.01), (1.0, 0.99), (0.3, 0.3)])
def test_a_prior_is_never_beyond_what_answers_can_move(prior, moved):
    assert movable(prior) == pytest.approx(moved)
