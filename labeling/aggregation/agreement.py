"""How far annotators agree, beyond what chance would do.

K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): nominal data, any number of
annotators, missing answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .answers import Floats, encode

BLOCK = 2 * 10**6  # counts held at a time while resampling


@dataclass(frozen=True)
class Agreement:
    alpha: float | None  # 1 is perfect, 0 chance; None where no two answers differ in what they say
    low: float | None  # 95 % bootstrap interval of alpha, over tasks
    high: float | None
    percent: (
        float | None
    )  # share of agreeing pairs of answers (0 … 1); None where there are no pairs
    tasks: int  # tasks with two answers or more: the rest cannot agree
    answers: int  # answers to those tasks
    prevalence: Mapping[Any, float]  # share of each class in all answers


def agreement(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Agreement over three columns of N ids; a worker's last answer to a task counts.

    `percent` weighs pairs as alpha does, so that each answer counts once. Raises ValueError
    without answers.
    """
    answers = encode(task, worker, label)
    votes = answers.votes()  # (T, K)
    shares = votes.sum(0) / votes.sum()
    prevalence = dict(zip(answers.classes.tolist(), shares.tolist(), strict=True))
    votes = votes[votes.sum(1) >= 2]
    if not len(votes):
        return Agreement(None, None, None, None, 0, 0, prevalence)
    # Tasks with the same votes are interchangeable: resample kinds of tasks, not tasks.
    kinds, times = np.unique(votes, axis=0, return_counts=True)
    alpha, percent = _alpha(kinds, times[None].astype(np.float64))
    low, high = _interval(kinds, times / len(votes), len(votes), draws, seed)
    return Agreement(
        alpha=None if np.isnan(alpha[0]) else float(alpha[0]),
        low=low,
        high=high,
        percent=float(percent[0]),
        tasks=len(votes),
        answers=int(votes.sum()),
        prevalence=prevalence,
    )


def _alpha(kinds: Floats, times: Floats) -> tuple[Floats, Floats]:
    """alpha and observed agreement for B data sets, in which kind u (U, K) occurs times (B, U)."""
    size = kinds.sum(1)  # answers a task
    differing = (size**2 - (kinds**2).sum(1)) / (size - 1)
    totals = times @ kinds  # (B, K)
    n = totals.sum(1)
    observed = times @ differing / n
    expected = (n**2 - (totals**2).sum(1)) / (n * (n - 1))
    varied = expected > 0
    ratio = np.divide(observed, expected, out=np.full(len(n), np.nan), where=varied)
    return 1 - ratio, 1 - observed


def _interval(
    kinds: Floats, shares: Floats, tasks: int, draws: int, seed: int
) -> tuple[float | None, float | None]:
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // len(kinds))
    sizes = [min(block, draws - start) for start in range(0, draws, block)]
    resampled = (rng.multinomial(tasks, shares, size).astype(np.float64) for size in sizes)
    alphas = np.concatenate([_alpha(kinds, times)[0] for times in resampled])
    alphas = alphas[~np.isnan(alphas)]
    if not len(alphas):
        return None, None
    low, high = np.quantile(alphas, [0.025, 0.975])
    return float(low), float(high)
