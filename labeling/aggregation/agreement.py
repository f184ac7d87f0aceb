"""Inter-annotator agreement beyond chance: Krippendorff's alpha.

K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): nominal and ordinal data, any
number of annotators, missing answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats, encode

Level = Literal["nominal", "ordinal"]
Disagreement = Callable[[Any, Floats], tuple[Floats, Floats]]

BLOCK = 2 * 10**6  # numbers processed together while resampling
GROUPS = 2000  # of tasks, that are resampled instead of more kinds of tasks
FEW = 128  # classes up to which products of all pairs are kept
INTERVAL_TASKS = 5  # fewer have no interval: of five it covers 88 to 100 %, of two down to 69 %
PRIOR_AGREEING, PRIOR_DIFFERING = 2.0, 1.0  # tasks of two answers that the interval adds to these
POPULATION = 1e6  # tasks that stand for infinitely many: so many differ from one less by nothing


@dataclass(frozen=True)
class Agreement:
    """How far annotators agree, and on how many answers that rests."""

    alpha: float | None  # 1 is perfect, 0 chance; None where all answers are of one class
    low: float | None  # 95 % interval of alpha over tasks; None below INTERVAL_TASKS
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
    """Return the agreement over three columns of N ids; a worker's last answer to a task counts.

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
    """Return the agreement over U kinds of tasks, by the number of answers of each class.

    votes: (U, K), in the order of the classes.
    times: (U,) how many tasks have these votes; one each without it.
    classes: the names of the columns; 0 … K - 1 without them.

    Raises ValueError without answers, and for a level other than nominal and ordinal.
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
    rows, weights = kinds(counts[several], weights[several])
    tasks = int(weights.sum())
    if not tasks:
        return Agreement(None, None, None, None, 0, 0, prevalence)
    rng = np.random.default_rng(seed)
    disagreement = _ordinal if level == "ordinal" else _nominal
    units = _Units(rows[None], rows)
    if len(rows) > GROUPS:
        units, weights = _Units.grouped(rows, weights, rng), np.ones(GROUPS)
    alpha = _alpha(units, weights[None], disagreement)[0]
    pairs, _ = _nominal(units, weights[None])
    low = high = None
    if tasks >= INTERVAL_TASKS and not np.isnan(alpha):
        drawn = (units, weights) if len(rows) > GROUPS else _with_prior(rows, weights)
        low, high = _interval(*drawn, float(alpha), disagreement, draws, rng)
    return Agreement(
        alpha=None if np.isnan(alpha) else float(alpha),
        low=low,
        high=high,
        percent=float(1 - pairs[0]),
        tasks=tasks,
        answers=int((weights @ units.totals).sum()),
        prevalence=prevalence,
    )


def kinds(votes: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Return the distinct rows of votes (U, K), and how many tasks (U,) have each.

    Rows are distinguished by a random 64-bit sum, many times faster than by sorting them.
    """
    factors = np.random.default_rng(0).integers(2**64, size=votes.shape[1], dtype=np.uint64)
    _, first, kind = np.unique(
        votes.astype(np.uint64) @ factors, return_index=True, return_inverse=True
    )
    count: Floats = np.bincount(kind, times, minlength=len(first)).astype(np.float64)
    return votes[first], count


@dataclass(frozen=True)
class _Units:
    """The units of the bootstrap: U kinds of tasks, or U groups, of s tasks each."""

    votes: Floats  # (s, U, K)
    totals: Floats  # (U, K)

    @classmethod
    def grouped(cls, kinds: Floats, times: Floats, rng: np.random.Generator) -> "_Units":
        """Return GROUPS groups with the tasks distributed at random; some hold one task less."""
        tasks = rng.permutation(np.repeat(np.arange(len(kinds)), times.astype(np.intp)))
        rows = np.zeros((-(-len(tasks) // GROUPS) * GROUPS, kinds.shape[1]))
        rows[: len(tasks)] = kinds[tasks]
        votes = rows.reshape(-1, GROUPS, kinds.shape[1])
        return cls(votes, votes.sum(0))

    @property
    def few(self) -> bool:
        return len(self.totals[0]) <= FEW

    @cached_property
    def others(self) -> Floats:
        """(s, U) how many answers each answer to a task is compared with."""
        others: Floats = np.maximum(self.votes.sum(2) - 1, 1)
        return others

    @cached_property
    def differing(self) -> Floats:
        """(U,) sum over tasks of the pairs that differ, by the answers that they are among."""
        pairs = (self.votes.sum(2) ** 2 - (self.votes**2).sum(2)) / self.others
        total: Floats = pairs.sum(0)
        return total

    @cached_property
    def weighed(self) -> Floats:
        """(U, K) sum over tasks of votes · m / (m - 1), of m answers to a task."""
        others = self.others[:, :, None]
        total: Floats = (self.votes * ((others + 1) / others)).sum(0)
        return total

    @cached_property
    def scaled(self) -> Floats:
        """(s, U, K) votes / √(m - 1)."""
        scaled: Floats = self.votes / np.sqrt(self.others)[:, :, None]
        return scaled

    @cached_property
    def products(self) -> Floats:
        """(U, K K) sum over tasks of the products of their scaled votes."""
        by_unit = self.scaled.transpose(1, 0, 2)
        products: Floats = by_unit.transpose(0, 2, 1) @ by_unit
        return products.reshape(len(by_unit), -1)

    def squared(self, times: Floats, rank: Floats) -> Floats:
        """(B,) sum over tasks of (votes · rank)² / (m - 1), for ranks (B, K)."""
        draws, k = rank.shape
        if self.few:
            both = (times @ self.products).reshape(draws, k, k) @ rank[:, :, None]
            total: Floats = (both[:, :, 0] * rank).sum(1)
        else:
            each = (self.scaled @ rank.T) ** 2  # (s, U, B)
            total = (times * each.sum(0).T).sum(1)
        return total


@dataclass(frozen=True)
class Dealt:
    """GROUPS groups of tasks with two answers or more, by what nominal agreement needs of them."""

    totals: Floats  # (GROUPS, K) answers
    differing: Floats  # (GROUPS,) as of `_Units`
    tasks: int

    @classmethod
    def nothing(cls, classes: int) -> "Dealt":
        """Return groups without tasks."""
        return cls(np.zeros((GROUPS, classes)), np.zeros(GROUPS), 0)

    @classmethod
    def of(cls, votes: npt.NDArray[Any], rng: np.random.Generator) -> "Dealt":
        """Deal tasks, by their answers of each class (T, K), at random."""
        votes = votes[votes.sum(1, dtype=np.int64) >= 2]
        group = (rng.permutation(len(votes)) + rng.integers(GROUPS)) % GROUPS
        order, starts = np.argsort(group, kind="stable"), np.arange(GROUPS)
        counts = votes[order].astype(np.float64)
        sizes = counts.sum(1)
        pairs = (sizes**2 - (counts**2).sum(1)) / (sizes - 1)
        rows = np.repeat(starts, np.bincount(group, minlength=GROUPS))
        totals = np.stack([np.bincount(rows, each, GROUPS) for each in counts.T], 1)
        differing = np.bincount(rows, pairs, GROUPS)
        return cls(totals.astype(np.float64), differing.astype(np.float64), len(votes))

    def __add__(self, other: "Dealt") -> "Dealt":
        return Dealt(
            self.totals + other.totals, self.differing + other.differing, self.tasks + other.tasks
        )


def agreement_of_groups(
    groups: Dealt, *, classes: Sequence[Any], prevalence: Floats, draws: int = 1000, seed: int = 0
) -> Agreement:
    """Return the nominal agreement over all tasks that were dealt into groups.

    It is that of `agreement_of_votes`, but for the interval, which rests on groups of tasks, and
    needs them to be many. prevalence: (K,) answers by class, of all tasks.
    """
    shares = dict(zip(classes, (prevalence / prevalence.sum()).tolist(), strict=True))
    if not groups.tasks:
        return Agreement(None, None, None, None, 0, 0, shares)
    weights = np.ones(GROUPS)
    alpha = float(_alpha(groups, weights[None], _nominal)[0])
    pairs, _ = _nominal(groups, weights[None])
    known = not np.isnan(alpha)
    low = high = None
    if known:
        dice = np.random.default_rng(seed)
        low, high = _interval(groups, weights, alpha, _nominal, draws, dice)
    return Agreement(
        alpha=alpha if known else None,
        low=low,
        high=high,
        percent=float(1 - pairs[0]),
        tasks=groups.tasks,
        answers=int(groups.totals.sum()),
        prevalence=shares,
    )


def _alpha(units: "_Units | Dealt", times: Floats, disagreement: Disagreement) -> Floats:
    """Return alpha (B,) of data sets in which each unit occurs times (B, U); NaN for one class."""
    observed, expected = disagreement(units, times)
    varied = ((times @ units.totals) > 0).sum(1) > 1
    ratio = np.divide(observed, expected, out=np.full(len(times), np.nan), where=varied)
    alpha: Floats = 1 - ratio
    return alpha


def _nominal(units: "_Units | Dealt", times: Floats) -> tuple[Floats, Floats]:
    """Return observed and expected disagreement (B,) where classes are the same or not."""
    totals = times @ units.totals  # (B, K)
    n = totals.sum(1)
    return times @ units.differing / n, (n**2 - (totals**2).sum(1)) / (n * (n - 1))


def _ordinal(units: _Units, times: Floats) -> tuple[Floats, Floats]:
    """Return both (B,) where classes differ by their mean ranks among all answers, squared.

    That is Krippendorff's metric: (n_c/2 + n_between + n_k/2)² = (rank_k - rank_c)².
    """
    totals = times @ units.totals
    n = totals.sum(1)
    rank = (totals.cumsum(1) - totals / 2) / n[:, None]  # (B, K)
    rank -= ((totals * rank).sum(1) / n)[:, None]
    within = (times @ units.weighed * rank**2).sum(1) - units.squared(times, rank)
    observed = 2 * within / n
    return observed, 2 * (totals * rank**2).sum(1) / (n - 1)


def _with_prior(kinds: Floats, times: Floats) -> tuple[_Units, Floats]:
    """Return kinds of tasks (U, K) and their numbers (U,), with those of the prior added.

    The prior is of tasks with two answers: PRIOR_AGREEING that agree, spread over the classes, and
    PRIOR_DIFFERING that differ, spread over neighbouring ones. Of yes and no that is one task with
    two yes, one with both, and one with two no: a uniform prior.
    """
    classes = kinds.shape[1]
    one = np.eye(classes)
    both = np.concatenate([kinds, 2 * one, one + np.roll(one, 1, axis=1)])
    prior = np.repeat([PRIOR_AGREEING / classes, PRIOR_DIFFERING / classes], classes)
    return _Units(both[None], both), np.concatenate([times, prior])


def _interval(
    units: "_Units | Dealt",
    times: Floats,
    alpha: float,
    disagreement: Disagreement,
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return where alpha lies in 95 % of the populations that the tasks may come from.

    This is the Bayesian bootstrap over tasks (D. B. Rubin, 1981): shares of the kinds of tasks are
    drawn from their Dirichlet posterior. Resampling the tasks themselves says nothing of what a few
    of them did not show (of two that agree it makes an interval of width zero), so the posterior
    has a prior; A. Agresti and B. A. Coull (1998) do the same for a single share. Like intervals of
    shares (L. D. Brown, T. T. Cai and A. DasGupta, "Interval estimation for a binomial proportion",
    2001), it is stretched to the estimate where that lies at the edge, beyond it. Groups of tasks
    spread alpha as single ones do, to about 2 %.
    """
    size = len(units.totals) if isinstance(units, Dealt) or units.few else units.others.size
    block = max(1, BLOCK // size)
    alphas = [np.zeros(0)]
    for start in range(0, draws, block):
        drawn = rng.dirichlet(times, min(block, draws - start)) * POPULATION
        alphas.append(_alpha(units, drawn, disagreement))
    defined = np.concatenate(alphas)
    low, high = np.quantile(defined[~np.isnan(defined)], [0.025, 0.975])
    return min(float(low), alpha), max(float(high), alpha)
