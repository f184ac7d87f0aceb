"""A figure with the interval in which it lies, from resamples or from leaving blocks out.

Intervals run from the 5th to the 95th percentile, so that either end is a one-sided bound of 95 %.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RESAMPLES = 1000
BLOCKS = 10  # of rows, one of which the jackknife leaves out at a time
FEWEST_BLOCKS = 3  # of which the jackknife can say how far its estimates scatter
QUANTILE = 1.6449  # of the normal distribution at 95 %

Values = NDArray[np.float64]
Selection = tuple[Tensor, Tensor]  # indices of the rows of two sets that take part


class Estimate(NamedTuple):
    """An estimate and the ends of its interval, which are infinite where it is not known."""

    value: float
    low: float
    high: float


def entries(name: str, figure: Estimate, **beside: float) -> dict[str, float]:
    """Return a figure, and what stands beside it, under flat names; leave out what is not finite.

    The names are ``name``, ``name_low``, ``name_high``, and ``name_key`` for each key of
    ``beside``.
    """
    values = {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    values |= {f"{name}_{key}": value for key, value in beside.items()}
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}


def mean(values: Values) -> Estimate:
    """Return the mean of independent values (n,), one a prompt or picture; n is 1 or more."""
    return bootstrap(values, np.mean)


def bootstrap(values: Values, statistic: Callable[[Values], Any], seed: int = 0) -> Estimate:
    """Return a statistic of independent values (n,) with its percentile interval (Efron 1979)."""
    random = np.random.default_rng(seed)
    resampled = [
        float(statistic(values[random.integers(len(values), size=len(values))]))
        for _ in range(RESAMPLES)
    ]
    return Estimate(float(statistic(values)), *_percentiles(resampled))


def difference(first: Values, second: Values, seed: int = 0) -> Estimate:
    """Return the mean of the first values (n,) less that of the second (m,), not paired."""
    random = np.random.default_rng(seed)
    resampled = [
        first[random.integers(len(first), size=len(first))].mean()
        - second[random.integers(len(second), size=len(second))].mean()
        for _ in range(RESAMPLES)
    ]
    return Estimate(float(first.mean() - second.mean()), *_percentiles(resampled))


def mean_by_prompt(values: Values, prompts: Tensor) -> Values:
    """Return the mean (p,) of the values (n,) of each prompt, whose numbers are ``prompts`` (n,).

    Pictures of one prompt are not independent, so intervals are taken over prompts.
    """
    numbers, index = np.unique(prompts.numpy(), return_inverse=True)
    counts = np.bincount(index, minlength=len(numbers))
    return np.bincount(index, values, len(numbers)) / counts


def jackknife(statistic: Callable[[Selection], float], first: int, second: int) -> Estimate:
    """Return a statistic of two sets of rows with the interval of a delete-a-block jackknife.

    The rows of either set are dealt out to 10 blocks, or to as many as the smaller set has rows,
    and each block is left out once (Shao and Tu 1995, section 2.3). Where the second set is
    ``copies`` times as large, its row i · copies + j is left out together with row i of the first.
    Of fewer than three rows no interval is known: its ends are infinite.
    """
    copies = max(1, second // first)
    whole = statistic((torch.arange(first), torch.arange(second)))
    count = min(BLOCKS, first, second)
    if count < FEWEST_BLOCKS:
        return Estimate(whole, -np.inf, np.inf)
    blocks = torch.arange(first) % count, torch.arange(second) // copies % count
    left_out = np.array(
        [
            statistic(((blocks[0] != b).nonzero()[:, 0], (blocks[1] != b).nonzero()[:, 0]))
            for b in range(count)
        ]
    )
    error = float(np.sqrt((count - 1) * np.square(left_out - left_out.mean()).mean()))
    return Estimate(whole, whole - QUANTILE * error, whole + QUANTILE * error)


def _percentiles(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.05, 0.95])
    return float(low), float(high)
