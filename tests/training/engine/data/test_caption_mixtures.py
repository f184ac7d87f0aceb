"""What is said of a picture is varied, each variant with the confidence in it."""

import random
from pathlib import Path

import pytest

from training.engine.data.caption_mixtures import (
    NOTHING,
    CaptionMixtures,
    Mixture,
    sample_mixtures,
    shuffled,
)
from training.engine.data.rows import Row

KEYWORDS = [("cat", 1.0), ("ginger", 0.8), ("sofa", 0.6), ("asleep", 0.4)]


def row(
    captions: tuple[tuple[str, float], ...] = (),
    tags: tuple[str, ...] = (),
    concepts: dict[str, float] | None = None,
) -> Row:
    return Row(Path("x.png"), captions, tags, concepts or {})


def by_mixture(variants: CaptionMixtures, number: int = 0) -> dict[Mixture, float]:
    pairs = zip(variants.index[number], variants.confidence[number], strict=True)
    return {variants.mixtures[index]: float(confidence) for index, confidence in pairs}


def test_the_first_stay_and_the_others_are_shuffled() -> None:
    chance = random.Random(0)
    seen = {tuple(shuffled(KEYWORDS, chance, keep=1, dropout=0.0)) for _ in range(100)}
    assert len(seen) == 6
    assert all(way[0] == KEYWORDS[0] and sorted(way) == sorted(KEYWORDS) for way in seen)


def test_some_are_left_out_as_often_as_asked() -> None:
    chance = random.Random(0)
    lengths = [len(shuffled(KEYWORDS, chance, keep=1, dropout=0.5)) for _ in range(1000)]
    assert min(lengths) == 1 and max(lengths) == 4
    assert sum(lengths) / 1000 == pytest.approx(2.5, abs=0.15)


def test_keywords_kept_in_place_are_never_left_out() -> None:
    assert shuffled(KEYWORDS, random.Random(0), keep=9, dropout=1.0) == KEYWORDS
    assert shuffled(KEYWORDS, random.Random(0), keep=0, dropout=1.0) == []


def test_a_caption_that_lists_the_keywords_varies_in_their_order() -> None:
    listed = row(captions=(("a, b, c", 1.0),), tags=("a", "b", "c"))
    ways = by_mixture(sample_mixtures([listed], (), 16, keep=1, dropout=0.0, seed=0))
    assert set(ways) == {(("a, b, c", 1.0),), (("a, c, b", 1.0),)}
    assert set(ways.values()) == {1.0}


def test_captions_and_keywords_take_turns_with_the_confidence_in_each() -> None:
    both = row(captions=(("a cat", 0.75),), tags=("cat", "dog"), concepts={"cat": 1.0, "dog": 0.1})
    ways = by_mixture(sample_mixtures([both], (), 32, keep=0, dropout=0.0, seed=0))
    assert ways[(("a cat", 1.0),)] == 0.5
    assert ways[(("cat", 1.0),)] == 1.0  # a dog is unlikely, so it is left out


def test_labels_enter_together_by_their_weights() -> None:
    rows = [row(concepts={"cat": p, "dog": 1 - p}) for p in (0.9, 0.1, 0.6)]
    ways = by_mixture(sample_mixtures(rows, ("cat", "dog"), 4, keep=1, dropout=0.1, seed=0), 2)
    ((mixture, confidence),) = ways.items()
    assert {name for name, _ in mixture} <= {"cat", "dog"}
    assert sum(weight for _, weight in mixture) == pytest.approx(1)
    assert 0 < confidence < 1


def test_a_picture_without_texts_gets_the_empty_one() -> None:
    variants = sample_mixtures([row()], (), 3, keep=1, dropout=0.1, seed=0)
    assert by_mixture(variants) == {NOTHING: 0.0}
    assert variants.sampling_confidence == 1.0


def test_one_seed_gives_the_same_and_a_picture_does_not_depend_on_others() -> None:
    rows = [row(tags=("a", "b", "c", "d")), row(captions=(("e", 1.0),))]
    first, again = (
        by_mixture(sample_mixtures(rows, (), 8, keep=1, dropout=0.3, seed=1)) for _ in range(2)
    )
    alone = by_mixture(sample_mixtures(rows[:1], (), 8, keep=1, dropout=0.3, seed=1))
    assert first == again == alone
    assert first != by_mixture(sample_mixtures(rows, (), 8, keep=1, dropout=0.3, seed=2))
