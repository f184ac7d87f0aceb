"""How much sentences have in common."""

import pytest

from labeling.selection.overlap import Overlap, words

SENTENCES = ["a red bicycle", "a blue bicycle", "a red car", "a dog", "a cat", "a tree", "a house"]


def test_case_and_variants_of_unicode_do_not_matter():
    assert words("Ｃafé, CAFE\u0301!") == {"ｃafé".casefold().replace("ｃ", "c")}


def test_where_no_spaces_are_written_each_character_is_a_word():
    assert words("红色的自行车") == set("红色的自行车")


@pytest.mark.parametrize(
    ("first", "second", "least", "most"),
    [
        ("a red bicycle", "a red bicycle", 1, 1),
        ("a dog", "a cat", 0, 0.15),
        ("a red bicycle", "a blue bicycle", 0.3, 0.7),
        ("a bicycle", "the red bicycle of a friend", 0.9, 1),
    ],
)
def test_rare_words_weigh_more_than_frequent_ones(first, second, least, most):
    overlap = Overlap(SENTENCES)
    assert least <= overlap.of(first, second) <= most
    assert overlap.of(first, second) == overlap.of(second, first)


def test_sentences_without_words_may_say_the_same():
    assert Overlap([]).of("…", "!") == 1
