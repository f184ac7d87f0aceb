"""Pairs of drawings of the same prompt, of which people prefer one."""

import numpy as np

from training.engine.data.preferences import ENOUGH, PAIRS_MAX, find_preferences


def test_a_drawing_that_shows_its_prompt_is_preferred_to_one_that_does_not() -> None:
    pairs = find_preferences(["a cat", "A  Cat", "a dog", "a dog"], [0.1, 0.9, 0.9, 0.95])
    assert (pairs.better.tolist(), pairs.worse.tolist(), pairs.count) == ([1], [0], 1)
    np.testing.assert_allclose(pairs.certainty, [0.81])
    np.testing.assert_allclose(pairs.reverse, [0.01])


def test_nobody_is_preferred_where_people_are_not_sure() -> None:
    assert find_preferences(["a cat"] * 2, [0.6, 0.3]).count == 0
    assert find_preferences([], []).count == 0


def test_what_shares_a_drawing_counts_once() -> None:
    """One bad drawing beside a hundred good ones says little."""
    pairs = find_preferences(["a cat"] * (ENOUGH + 1), [0.01] + [0.99] * ENOUGH)
    assert (pairs.count, pairs.enough, len(pairs.better)) == (1, False, PAIRS_MAX)
    np.testing.assert_allclose(pairs.weights.sum(), 1)


def test_each_prompt_weighs_the_same() -> None:
    pairs = find_preferences(["a", "a", "a", "b", "b"], [0.9, 0.9, 0.1, 0.9, 0.1])
    np.testing.assert_allclose(pairs.weights, [0.5, 0.5, 1])
    assert pairs.count == 2
