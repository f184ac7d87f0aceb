"""Intervals of means and of statistics of two sets of rows."""

import math

import numpy as np
import pytest
import torch

from training.engine.evaluation import intervals
from training.engine.evaluation.intervals import Selection


def test_pictures_of_one_prompt_are_averaged_before_anything_is_counted() -> None:
    values = np.array([1.0, 0.0, 1.0, 1.0])
    grouped = intervals.mean_by_prompt(values, torch.tensor([3, 3, 7, 7]))
    assert grouped.tolist() == [0.5, 1.0]


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(2, 3, 400)
    figure = intervals.mean(values)
    assert figure.value == pytest.approx(values.mean())
    assert figure.high - figure.low == pytest.approx(2 * 1.645 * values.std() / 20, rel=0.15)


def test_means_that_are_not_paired_are_told_apart_where_they_differ() -> None:
    random = np.random.default_rng(0)
    first, second = random.random(40), random.random(30) * 0.4
    figure = intervals.difference(first, second)
    assert figure.value == pytest.approx(first.mean() - second.mean())
    assert 0 < figure.low < figure.value < figure.high


@pytest.mark.parametrize(("first", "second"), [(3, 3), (5, 20), (13, 9), (19, 19), (20, 60)])
def test_the_jackknife_leaves_every_row_out_exactly_once(first: int, second: int) -> None:
    left_out: list[tuple[set[int], set[int]]] = []

    def record(selection: Selection) -> float:
        rows, columns = (set(part.tolist()) for part in selection)
        left_out.append((set(range(first)) - rows, set(range(second)) - columns))
        return 0.0

    intervals.jackknife(record, first, second)
    whole, *blocks = left_out
    assert whole == (set(), set())
    assert len(blocks) == min(10, first, second)
    for side, count in enumerate((first, second)):
        assert sorted(row for block in blocks for row in block[side]) == list(range(count))


@pytest.mark.parametrize("count", [3, 9, 12, 19])
def test_the_jackknife_of_a_few_rows_gives_the_standard_error_of_their_mean(count: int) -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(2, 3, count))
    figure = intervals.jackknife(lambda rows: float(values[rows[0]].mean()), count, count)
    blocks = min(10, count)
    if count <= blocks:  # one row a block: the textbook's standard error
        error = float(values.std() / math.sqrt(count))
        assert figure.high - figure.value == pytest.approx(1.6449 * error)
    assert figure.low < figure.value < figure.high


def test_of_fewer_than_three_rows_no_interval_is_known() -> None:
    assert intervals.jackknife(lambda rows: 0.5, 2, 40) == (0.5, -math.inf, math.inf)
    assert intervals.entries("kid", intervals.jackknife(lambda rows: 0.5, 40, 1)) == {"kid": 0.5}
