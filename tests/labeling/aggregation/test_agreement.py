"""Krippendorff's alpha against values worked by hand and published ones."""

import numpy as np
import pytest

from labeling.aggregation import Agreement, agreement

# K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: four observers,
# twelve units, answers missing. Nominal alpha is .743.
FOUR_OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""
# Ibid., section A: two observers, ten units, two classes. Alpha is .095, agreement 6 of 10.
TWO_OBSERVERS = """
    0 1 0 0 0 0 0 0 1 0
    1 1 1 0 0 1 0 0 0 0
"""


def agreement_of(table: str, *, seed: int = 0) -> Agreement:
    """The agreement in a table of observers (rows) by units (columns)."""
    cells = [line.split() for line in table.strip().splitlines()]
    answers = [
        (unit, observer, int(value))
        for observer, row in enumerate(cells)
        for unit, value in enumerate(row)
        if value != "."
    ]
    return agreement(*zip(*answers, strict=True), seed=seed)


def test_four_observers_with_missing_answers() -> None:
    result = agreement_of(FOUR_OBSERVERS)
    assert result.alpha == pytest.approx(0.743, abs=5e-4)
    assert (result.tasks, result.answers) == (11, 40)
    assert result.percent == pytest.approx(0.8)


def test_two_observers_and_two_classes() -> None:
    result = agreement_of(TWO_OBSERVERS)
    assert result.alpha == pytest.approx(0.095, abs=5e-4)
    assert result.percent == pytest.approx(0.6)
    assert result.prevalence == pytest.approx({0: 0.7, 1: 0.3})


def test_perfect_agreement_is_one() -> None:
    result = agreement_of("0 1 2 0\n0 1 2 0")
    assert (result.alpha, result.percent) == (1, 1)


def test_systematic_disagreement_is_below_zero() -> None:
    alpha = agreement_of("0 1 0 1\n1 0 1 0").alpha
    assert alpha is not None
    assert alpha < -0.5


def test_random_answers_agree_by_chance() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=6000)
    result = agreement(np.arange(6000) % 2000, np.arange(6000) // 2000, label)
    assert result.alpha == pytest.approx(0, abs=0.03)
    assert result.low is not None
    assert result.high is not None
    assert result.low < 0 < result.high


def test_the_interval_holds_alpha_and_repeats_with_its_seed() -> None:
    first, again = agreement_of(FOUR_OBSERVERS, seed=3), agreement_of(FOUR_OBSERVERS, seed=3)
    assert first == again
    assert first.alpha is not None
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.alpha < first.high


def test_the_interval_is_that_of_resampled_tasks() -> None:
    rng = np.random.default_rng(1)
    votes = rng.binomial(3, rng.choice([0.15, 0.9], size=120))
    label = (np.arange(3) < votes[:, None]).astype(int)
    task, worker = np.divmod(np.arange(360), 3)
    alphas = []
    for _ in range(400):
        drawn = label[rng.integers(120, size=120)]
        alphas.append(agreement(task, worker, drawn.ravel(), draws=1).alpha or 0.0)
    result = agreement(task, worker, label.ravel(), draws=4000)
    assert (result.low, result.high) == pytest.approx(np.quantile(alphas, [0.025, 0.975]), abs=0.03)


def test_alpha_is_undefined_where_all_answers_are_the_same() -> None:
    result = agreement_of("1 1 1\n1 1 1")
    assert (result.alpha, result.low, result.high) == (None, None, None)
    assert result.percent == 1


def test_a_single_answer_a_task_says_nothing_about_agreement() -> None:
    result = agreement([1, 2], ["a", "b"], [0, 1])
    assert (result.alpha, result.percent, result.tasks, result.answers) == (None, None, 0, 0)
    assert result.prevalence == {0: 0.5, 1: 0.5}


def test_the_last_answer_of_an_annotator_counts() -> None:
    twice = agreement([1, 1, 2, 2, 1], ["a", "b", "a", "b", "a"], [0, 1, 0, 0, 1])
    assert twice == agreement([1, 1, 2, 2], ["a", "b", "a", "b"], [1, 1, 0, 0])


def test_order_and_names_do_not_matter() -> None:
    named = agreement([2, 1, 1, 2], ["x", "y", "x", "y"], ["no", "yes", "no", "no"])
    plain = agreement([1, 1, 2, 2], [1, 2, 1, 2], [0, 1, 0, 0])
    assert (named.alpha, named.percent) == (plain.alpha, plain.percent)


def test_it_refuses_to_judge_without_answers() -> None:
    with pytest.raises(ValueError, match="no answers"):
        agreement([], [], [])
