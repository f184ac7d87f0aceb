"""Detect where an annotator's answers turn bad: an account that was good and is sold, say.

Online, a cumulative sum of log-likelihood ratios of "guesses" against "as good as before"
(E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954). In batch, the most likely
change point of a rate (D. V. Hinkley, "Inference about the change-point in a sequence of random
variables", Biometrika 57, 1970).
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy  # type: ignore[import-untyped]

THRESHOLD = 8.0  # of the score; a good annotator reaches it once in several thousand answers
GUESSING = 0.5  # accuracy assumed of an annotator after a change point
PRIOR_ANSWERS = 10.0  # weight of that assumption, in suspect answers
REINSTATED = 0.75  # accuracy on suspect answers at which the suspicion was wrong
USUAL = 0.6, 0.95  # bounds of the accuracy assumed before a change point
BEFORE, AFTER = 20, 10  # answers needed on either side of a change point
DROP = 0.15  # least fall in accuracy
EVIDENCE = 12.0  # least log-likelihood ratio of a change against none, at its best place
BLOCK = 2_000_000  # answers processed together
EDGE = 1e-9  # answers, by which sums are rounded

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def score(previous: float, right: float, reliability: float) -> float:
    """Return the drift score after one more answer, from 0 (none) to `THRESHOLD` (suspect).

    right: probability that the answer is right by what others know, 0 or 1 on gold; 0.5 is
        uninformative.
    reliability: a lower bound of the annotator's accuracy so far.
    """
    usual = min(max(reliability, USUAL[0]), USUAL[1])
    expected = right * usual + (1 - right) * (1 - usual)
    return min(max(previous + math.log(GUESSING / expected), 0.0), THRESHOLD)


def change_point(right: npt.ArrayLike) -> int | None:
    """Return the index from which on one annotator's answers are bad, or None.

    right: (n,) probabilities that each answer is right by what others know, in order of time; 0.5
        is uninformative: an answer counts as far as others are sure of it, so whoever goes ahead
        to questions that nobody else has answered has not turned bad.
    """
    chances = np.asarray(right, np.float64)
    index = change_points(np.zeros(len(chances), np.int64), chances, workers=1)[0]
    return None if index < 0 else int(index)


def change_points(worker: npt.ArrayLike, right: npt.ArrayLike, *, workers: int) -> Ints:
    """Return (workers,) the change point of each annotator, -1 where there is none.

    worker: (n,) numbers below `workers`. right: (n,) as in `change_point`. Both are in order of
    time; an index counts the answers of its own annotator. Raises ValueError on arrays of
    different shapes and on numbers that are no probabilities.
    """
    numbers, chances = np.asarray(worker, np.int64), np.asarray(right, np.float64)
    if numbers.shape != chances.shape or numbers.ndim != 1:
        raise ValueError("worker and right must be flat and of the same length")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("right must hold probabilities")
    indices = np.full(workers, -1, np.int64)
    sizes = np.bincount(numbers, minlength=workers)
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(sizes)
    first = 0
    while first < workers:
        start = ends[first] - sizes[first]
        last = max(first + 1, int(np.searchsorted(ends, start + BLOCK, "right")))
        block = chances[order[start : ends[last - 1]]]
        indices[first:last] = _change_points(sizes[first:last], block)
        first = last
    return indices


def _change_points(sizes: Ints, right: Floats) -> Ints:
    """Return the change points of annotators whose answers follow one another, `sizes` of each."""
    indices = np.full(len(sizes), -1, np.int64)
    if not len(right):
        return indices
    starts = np.cumsum(sizes) - sizes
    sureness = np.abs(2 * right - 1)
    place_of = np.arange(len(right)) - np.repeat(starts, sizes)  # answers before a change here
    before, after = _sums(sureness, sizes)
    early, late = _sums(np.where(right > 0.5, sureness, 0.0), sizes)  # right answers
    gain = _log_likelihood(early, before) + _log_likelihood(late, after)
    gain -= _log_likelihood(early + late, before + after)
    drop = (early + 0.5) / (before + 1) - (late + 0.5) / (after + 1)
    gain[(before < BEFORE) | (after < AFTER) | (drop < DROP)] = 0.0
    used = np.flatnonzero(sizes)
    best = np.maximum.reduceat(gain, starts[used])
    place = np.flatnonzero(gain == np.repeat(best, sizes[used]))
    owner, at = np.unique(np.repeat(np.arange(len(sizes)), sizes)[place], return_index=True)
    changed = best[np.searchsorted(used, owner)] > EVIDENCE
    indices[owner[changed]] = place_of[place[at[changed]]]
    return indices


def _sums(values: Floats, sizes: Ints) -> tuple[Floats, Floats]:
    """Return (n,) the sums of an annotator's values before each of them, and from it on."""
    starts = np.cumsum(sizes) - sizes
    cumulative = np.concatenate([[0.0], np.cumsum(values)])
    before = cumulative[:-1] - np.repeat(cumulative[starts], sizes)
    total = np.repeat(cumulative[starts + sizes] - cumulative[starts], sizes)
    return before, total - before


def _log_likelihood(hits: Floats, count: Floats) -> Floats:
    """Return the log-likelihood in nats of `hits` of `count` at their own rate; 0 for none."""
    rate = np.clip(hits / np.maximum(count, EDGE), 0.0, 1.0)
    likelihood: Floats = count * (xlogy(rate, rate) + xlogy(1 - rate, 1 - rate))
    return likelihood
