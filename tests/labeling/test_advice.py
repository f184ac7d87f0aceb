"""What would help a concept most, in a sentence."""

from dataclasses import replace

import pytest

from labeling import advice
from labeling.advice import Evidence, Target, advise
from labeling.models import Question
from tests.cast import answer

GOOD = Evidence(name="food", answers=200, compared=80, alpha=0.9, low=0.8, high=0.95, questions=100)


def text(**changes: object) -> str:
    found = advise(replace(GOOD, **changes))  # type: ignore[arg-type]
    return found.text if found else ""


def test_what_is_well_needs_no_advice() -> None:
    assert advise(GOOD) is None
    assert advise(replace(GOOD, name=None)) is None


def test_one_person_alone_is_told_so_once_and_not_to_ask_more() -> None:
    alone = {"annotators": 1, "compared": 0, "alpha": None, "low": None, "high": None}
    assert text(**alone) == ""
    assert text(**alone, name=None) == "One person alone has answered: agreement needs two."


@pytest.mark.parametrize(
    ("changes", "sentence", "target"),
    [
        (
            {"answers": 0, "compared": 0, "alpha": None, "low": None, "high": None},
            "Nobody has answered about “food” yet.",
            "concept",
        ),
        (
            {"answers": 0, "compared": 0, "alpha": None, "low": None, "high": None, "name": None},
            "Nobody has answered yet.",
            "concept",
        ),
        (
            {"compared": 1, "low": None, "high": None},
            "Ask more on “food”: only 1 question in common so far.",
            "concept",
        ),
        (
            {"compared": 14, "low": 0.1, "high": 0.8},
            "Ask more on “food”: 14 questions in common, agreement between 0.1 and 0.8.",
            "concept",
        ),
        (
            {"alpha": 0.4, "low": 0.3, "high": 0.5},
            "People disagree about “food” (alpha 0.40): write a definition or add hard examples.",
            "concept",
        ),
        (
            {"alpha": 0.4, "low": 0.3, "high": 0.5, "has_definition": True},
            "People disagree about “food” (alpha 0.40): sharpen its definition or add hard "
            "examples.",
            "concept",
        ),
        (
            {"gold_yes": 20, "gold_yes_missed": 10},
            "Gold says that people miss “food”: 10 of 20 answers to gold that shows it are no.",
            "gold",
        ),
        (
            {"gold_no": 1_000, "gold_no_missed": 500},
            "Gold says that people see “food” where it is not: 500 of 1,000 answers to gold "
            "without it are yes.",
            "gold",
        ),
        (
            {"ambiguous": 30},
            "30 of 100 questions about “food” were given up as ambiguous: decide them.",
            "labels",
        ),
    ],
)
def test_each_weakness_has_its_sentence_and_place(
    changes: dict[str, object], sentence: str, target: str
) -> None:
    found = advise(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert found is not None
    assert (found.text, found.target) == (sentence, Target(target))


def test_the_project_as_a_whole_is_advised_too() -> None:
    assert text(name=None, compared=3).startswith("Ask more on all concepts: only 3 questions")
    assert text(name=None, alpha=0.4, low=0.3, high=0.5).startswith("People disagree (alpha 0.40)")


def test_few_answers_to_gold_accuse_nobody() -> None:
    assert text(gold_yes=4, gold_yes_missed=4) == ""
    assert text(gold_yes=5, gold_yes_missed=2) == ""
    assert "miss" in text(gold_yes=5, gold_yes_missed=4)
    assert text(gold_yes=100, gold_yes_missed=22) == ""


def test_answers_to_gold_are_counted_by_concept_and_truth(shapes, alice, bob) -> None:
    circle = shapes.concepts.get(name="circle")
    gold = {question.pk: True for question in Question.objects.filter(state="gold", concept=circle)}
    answer(alice, gold)
    answer(bob, dict.fromkeys(gold, False))
    yes = Question.objects.filter(state="gold", concept=circle, verdict=True).count()
    assert advice.gold_answers(shapes)[circle.pk] == {
        "gold_yes": 2 * yes,
        "gold_yes_missed": yes,
        "gold_no": 2 * (len(gold) - yes),
        "gold_no_missed": len(gold) - yes,
    }
