"""How far annotators agree, beyond what chance would do.

K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): nominal and ordinal data, any
number of annotators, missing answers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .answers import Floats, encode

Level = Literal["nominal", "ordinal"]
Disagreement = Callable[[Floats, Floats], tuple[Floats, Floats]]

BLOCK = 2 * 10**6  # counts held at a time while resampling
MANY = 4  # where a kind of task has fewer tasks than this, it is quicker to draw task by task


@dataclass(frozen=True)
class Agreement:
    """How far annotators agree, and on how much that rests."""

    alpha: float | None  # 1 is perfect, 0 chance; None where no two answers differ in what they say
    low: float | None  # 95 % bootstrap interval of alpha, over tasks
    high: float | None
    percent: float | None  # share of equal pairs of answers (0 … 1); None where there are no pairs
    tasks: int  # tasks with two answers or more: the rest cannot agree
    answers: int  # answers to those tasks
    prevalence: Mapping[Any, float]  # share of each class in all answers


def agreement(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    *,
    level: Level = "nominal",
    classes: Sequence[Any] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Agreement over three columns of N ids; a worker's last answer to a task counts.

    At level "nominal" two classes are the same or not; at "ordinal" they are as far apart as their
    ranks, in the order of `classes`, or of the sorted ids without it. `percent` weighs pairs as
    alpha does, so that each answer counts once. Raises ValueError without answers, for a label that
    is not among the classes, and for another level.
    """
    answers = encode(task, worker, label, classes=classes)
    names, votes = answers.classes.tolist(), answers.votes()
    if classes is not None:
        places = {name: place for place, name in enumerate(names)}
        names = list(dict.fromkeys(classes))
        votes = votes[:, [places[name] for name in names]]
    return agreement_of_votes(votes, classes=names, level=level, draws=draws, seed=seed)


def agreement_of_votes(
    votes: npt.ArrayLike,
    times: npt.ArrayLike | None = None,
    *,
    classes: Sequence[Any] | None = None,
    level: Level = "nominal",
    draws: int = 1000,
    seed: int = 0,
) -> Agreement:
    """The same, from how many answers of each class a task has: (U, K), in the classes' order.

    `times` (U,) says how many tasks have these votes, one without it; `classes` names the columns,
    else they are 0 … K - 1.
    """
    if level not in ("nominal", "ordinal"):
        raise ValueError(f"the level is nominal or ordinal, not {level}")
    counts = np.asarray(votes, np.float64)
    weights = np.ones(len(counts)) if times is None else np.asarray(times, np.float64)
    totals = weights @ counts
    if not totals.sum():
        raise ValueError("there are no answers")
    names = range(counts.shape[1]) if classes is None else classes
    prevalence = dict(zip(names, (totals / totals.sum()).tolist(), strict=True))
    several = counts.sum(1) >= 2
    kinds, weights = _kinds(counts[several], weights[several])
    tasks = int(weights.sum())
    if not tasks:
        return Agreement(None, None, None, None, 0, 0, prevalence)
    disagreement = _ordinal if level == "ordinal" else _nominal
    alpha = _alpha(kinds, weights[None], disagreement)[0]
    resampled = _resampled(weights, tasks, draws, np.random.default_rng(seed))
    low, high = _interval([_alpha(kinds, each, disagreement) for each in resampled])
    pairs, _ = _nominal(kinds, weights[None])
    return Agreement(
        alpha=None if np.isnan(alpha) else float(alpha),
        low=low,
        high=high,
        percent=float(1 - pairs[0]),
        tasks=tasks,
        answers=int((weights @ kinds).sum()),
        prevalence=prevalence,
    )


def _kinds(votes: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Tasks with the same votes are interchangeable: (U, K) kinds of them, and how many of each.

    Rows are told apart by a random 64-bit sum, many times faster than by sorting them.
    """
    factors = np.random.default_rng(0).integers(2**64, size=votes.shape[1], dtype=np.uint64)
    _, first, kind = np.unique(
        votes.astype(np.uint64) @ factors, return_index=True, return_inverse=True
    )
    each: Floats = np.bincount(kind, times, minlength=len(first)).astype(np.float64)
    return votes[first], each


def _alpha(kinds: Floats, times: Floats, disagreement: Disagreement) -> Floats:
    """alpha of B data sets, in which kind u (U, K) occurs times (B, U); NaN for a single class."""
    observed, expected = disagreement(kinds, times)
    varied = ((times @ kinds) > 0).sum(1) > 1
    ratio = np.divide(observed, expected, out=np.full(len(times), np.nan), where=varied)
    alpha: Floats = 1 - ratio
    return alpha


def _nominal(kinds: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Observed and expected disagreement (B,) where two classes are the same or not."""
    size = kinds.sum(1)  # answers a task
    totals = times @ kinds  # (B, K)
    n = totals.sum(1)
    observed = times @ ((size**2 - (kinds**2).sum(1)) / (size - 1)) / n
    return observed, (n**2 - (totals**2).sum(1)) / (n * (n - 1))


def _ordinal(kinds: Floats, times: Floats) -> tuple[Floats, Floats]:
    """The same where two classes are as far apart as their mean ranks among all answers, squared.

    That is Krippendorff's metric: (n_c/2 + n_between + n_k/2)² = (rank_k - rank_c)².
    """
    size = kinds.sum(1)
    totals = times @ kinds
    n = totals.sum(1)
    rank = (totals.cumsum(1) - totals / 2) / n[:, None]  # (B, K)
    rank -= ((totals * rank).sum(1) / n)[:, None]
    squares = ((times * (size / (size - 1))) @ kinds * rank**2).sum(1)
    observed = 2 * (squares - (times / (size - 1) * (rank @ kinds.T) ** 2).sum(1)) / n
    return observed, 2 * (totals * rank**2).sum(1) / (n - 1)


def _resampled(
    weights: Floats, tasks: int, draws: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """How often each kind of task is drawn, when as many tasks are drawn anew: blocks of (B, U)."""
    kinds = len(weights)
    block = max(1, BLOCK // kinds)
    each = np.repeat(np.arange(kinds, dtype=np.int32), weights.astype(np.intp))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        if kinds * MANY < tasks:
            yield rng.multinomial(tasks, weights / tasks, size).astype(np.float64)
        else:
            drawn = (each[rng.integers(tasks, size=tasks, dtype=np.int32)] for _ in range(size))
            yield np.array([np.bincount(one, minlength=kinds) for one in drawn], np.float64)


def _interval(blocks: list[Floats]) -> tuple[float | None, float | None]:
    alphas = np.concatenate(blocks)
    alphas = alphas[~np.isnan(alphas)]
    if not len(alphas):
        return None, None
    low, high = np.quantile(alphas, [0.025, 0.975])
    return float(low), float(high)
