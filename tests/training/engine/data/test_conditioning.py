"""Captions, tags and concepts become texts, each with the confidence in it."""

from pathlib import Path

import numpy as np
import pytest

from training.engine.data.conditioning import above_chance, gather_texts
from training.engine.data.rows import Row


def row(
    captions: tuple[tuple[str, float], ...] = (),
    tags: tuple[str, ...] = (),
    concepts: dict[str, float] | None = None,
) -> Row:
    return Row(Path("x.png"), captions, tags, concepts or {})


@pytest.mark.parametrize(
    ("probability", "chance", "confidence"),
    [(0.5, 0.5, 0), (1, 0.5, 1), (0.75, 0.5, 0.5), (0, 0.5, 0)],
)
def test_confidence_is_what_a_probability_says_above_chance(
    probability: float, chance: float, confidence: float
) -> None:
    assert above_chance(probability, chance) == pytest.approx(confidence)


def test_a_doubtful_caption_has_less_confidence() -> None:
    texts = gather_texts([row((("a cat", 0.95), ("a dog", 0.6)))], [])
    assert texts.texts == ["a cat", "a dog"]
    assert texts.confidence[0].tolist() == pytest.approx([0.9, 0.2])


def test_a_picture_without_text_has_no_confidence() -> None:
    texts = gather_texts([row((("a cat", 0.9),)), row(concepts={"cat": 0.1}), row()], ["cat"])
    assert texts.weights[1:].sum() == 0
    assert texts.confidence[1:].sum() == 0


def test_labels_are_expected_over_concepts() -> None:
    rows = [
        row(concepts={"cat": 0.9, "dog": 0.1}),
        row(concepts={"cat": 0.0, "dog": 0.0}),
        row(concepts={"cat": 0.0, "dog": 0.0}),
    ]
    texts = gather_texts(rows, ["cat", "dog"])
    cat, dog = texts.labels[0]
    assert cat > 0.8
    assert 0 <= dog < 0.1
    assert texts.slots[0, 0] == len(texts.texts)  # the row's own expected label
    assert texts.confidence[0, 0] == pytest.approx(cat + dog)


def test_labels_never_weigh_more_than_one() -> None:
    names = [f"c{i}" for i in range(20)]
    sure = row(concepts=dict.fromkeys(names, 0.95))
    rest = [row(concepts=dict.fromkeys(names, 0.05)) for _ in range(9)]
    assert gather_texts([sure, *rest], names).labels.sum(1).max() <= 1 + 1e-6


def test_unjudged_concepts_say_nothing() -> None:
    rows = [row(concepts={"cat": 0.1}) for _ in range(5)]
    assert np.allclose(gather_texts(rows, ["cat"]).labels, 0, atol=1e-6)


def test_drawn_pictures_are_rated_by_what_people_said() -> None:
    drawn = Row(Path("y.png"), (), (), {}, prompt="a cat", shows_prompt=0.3)
    unasked = Row(Path("z.png"), (("a dog", 0.9),), (), {}, prompt="a dog")
    texts = gather_texts([row((("a cat", 0.9),)), drawn, unasked], [])
    shown = texts.ratings["shows_prompt"]
    assert shown[:2].tolist() == pytest.approx([1, 0.15])  # the best drawing is no real picture
    assert np.isnan(shown[2])
    assert texts.texts[texts.slots[1, 0]] == "a cat"
    assert texts.confidence[1, 0] == 0  # it shows no cat: it teaches what a picture is without text


def test_without_judged_drawings_nothing_is_rated() -> None:
    assert gather_texts([row((("a cat", 0.9),))], []).ratings == {}


def test_what_a_clip_says_of_a_judged_drawing_is_a_rating_of_its_own() -> None:
    said = {"prompt": "a cat", "shows_prompt": 0.3}
    drawings = [
        Row(Path("y.png"), (), (), {}, **said),
        Row(Path("z.png"), (), (), {}, **said, fits_prompt=0.8),
    ]  # type: ignore[arg-type]
    ratings = gather_texts([row((("a cat", 0.9),)), *drawings], []).ratings
    assert list(ratings) == ["shows_prompt", "fits_prompt"]
    np.testing.assert_allclose(ratings["fits_prompt"], [1, np.nan, 0.4])


def test_a_rating_that_an_earlier_model_knew_stays() -> None:
    ratings = gather_texts([row((("a cat", 0.9),))], [], rated=1).ratings
    assert {name: values.tolist() for name, values in ratings.items()} == {"shows_prompt": [1]}
