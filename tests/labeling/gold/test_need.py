"""How much gold a concept needs follows from what gold is used for, and is said in a sentence."""

import pytest

from labeling import gold
from labeling.gold import need as needs
from labeling.gold.need import Need
from labeling.models import Concept

USUAL = {"pictures": 10_000, "concepts": 10, "practice": 0}


def test_the_more_gold_the_better_is_a_reliability_known():
    widths = [needs.precision(n, n) for n in (0, 4, 8, 16, 64)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0.12 and widths[-1] < 0.06


def test_both_truths_are_needed():
    assert needs.precision(16, 0) > needs.precision(8, 8)


def test_so_much_is_wanted_that_a_reliability_is_known_well_enough_and_no_more():
    each = needs.need(**USUAL).yes
    assert needs.precision(each, each) <= needs.PRECISION < needs.precision(each - 1, each - 1)


def test_gold_of_a_single_concept_lasts_for_a_sitting():
    wanted = needs.need(**(USUAL | {"concepts": 1}))
    assert needs.screens(wanted.total) >= needs.SCREENS


def test_what_people_practise_on_is_added():
    more = needs.need(**(USUAL | {"practice": 4}))
    assert more.total == needs.need(**USUAL).total + 4


def test_of_few_pictures_most_are_left_to_people():
    assert needs.need(**(USUAL | {"pictures": 24})).total == 8
    assert needs.need(**(USUAL | {"pictures": 2})) == Need(2, 2)
    assert needs.need(**(USUAL | {"pictures": 0})) == Need(0, 0)


@pytest.mark.parametrize(
    ("yes", "no", "sentence"),
    [
        (0, 0, "20 more (10 yes, 10 no): without gold nothing shows who can tell yes from no."),
        (
            0,
            9,
            "11 more (10 yes, 1 no): without a picture that shows it, always answering no looks",
        ),
        (
            9,
            0,
            "11 more (1 yes, 10 no): without a picture that lacks it, always answering yes looks",
        ),
        (
            4,
            4,
            "12 more (6 yes, 6 no): a busy annotator, and their network on that day, has seen",
        ),
        (12, 10, "Enough: a busy annotator, and their network on that day, has seen all 22 "),
    ],
)
def test_it_says_why(yes, no, sentence):
    assert needs.why(yes=yes, no=no, need=Need(10, 10)).startswith(sentence)


@pytest.mark.django_db
def test_progress_counts_whole_pictures_and_parts_apart(scenes):
    star = Concept.objects.create(project=scenes.project, name="star", phrase="a star")
    circle, square, none = gold.progress(scenes.project)
    assert (circle.concept, none.concept) == (scenes.concept, star)
    assert (circle.yes, circle.no, square.yes, square.no) == (3, 3, 3, 3)
    assert (circle.parts_yes, circle.parts_no, circle.parts_pictures) == (4, 4, 2)
    assert (none.gold, none.missing) == (0, none.need.total)
    assert "Draw on 2 pictures" in none.parts_why and circle.parts_why.startswith("Enough")


@pytest.mark.django_db
def test_a_thousand_concepts_are_counted_by_few_queries(shapes, django_assert_max_num_queries):
    Concept.objects.bulk_create(
        Concept(project=shapes, name=f"no. {n}", phrase=f"no. {n}") for n in range(1_000)
    )
    with django_assert_max_num_queries(5):
        assert len(gold.progress(shapes)) == 1_002
