"""Where an annotator's answers turn bad: someone who was trusted, and sold the account.

As answers come, a cumulative sum of log-likelihood ratios of "guesses" against "as good as ever"
(E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954). Over all answers at once, the
most likely change of a rate (D. V. Hinkley, "Inference about the change-point", ibid. 57, 1970).
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy  # type: ignore[import-untyped]

ALARM = 8.0  # a good annotator reaches it once in several thousand answers
GUESSING = 0.5  # how good they are taken to be from then on
ALIKE = 10.0  # suspect answers by which that is believed before there are any
PARDONED = 0.75  # whoever is as often right while suspect, by what others say, was so wrongly
USUAL = 0.6, 0.95  # how good an annotator is taken to have been, at least and at most
BEFORE, AFTER = 20, 10  # answers that a turn needs on either side
DROP = 0.15  # and by how much the chance of a right answer must fall
EVIDENCE = 12.0  # and the log-likelihood ratio of a change against none, at its best place
BLOCK = 2_000_000  # answers that are looked at together

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def doubt(before: float, right: float, reliability: float) -> float:
    """The cumulative sum after one more answer: 0 is no doubt, ALARM is a turn.

    right: probability that the answer is right by what others know, 0 or 1 on gold; an even one
    tells nothing. reliability: what that of the annotator was at least so far.
    """
    usual = min(max(reliability, USUAL[0]), USUAL[1])
    expected = right * usual + (1 - right) * (1 - usual)
    return min(max(before + math.log(GUESSING / expected), 0.0), ALARM)


def turn(right: npt.ArrayLike) -> int | None:
    """The index from which on an annotator's answers are another's; None where nothing turned.

    right: (n,) probabilities that each answer was right by what others know, in order of time.
    """
    chances = np.asarray(right, np.float64)
    found = turns(np.zeros(len(chances), np.int64), chances, workers=1)[0]
    return None if found < 0 else int(found)


def turns(worker: npt.ArrayLike, right: npt.ArrayLike, *, workers: int) -> Ints:
    """(workers,) the same for many annotators at once, -1 where nothing turned.

    worker: (n,) numbers below `workers`; right: (n,) as in `turn`; both in order of time. An
    index counts the answers of its own annotator.
    """
    numbers, chances = np.asarray(worker, np.int64), np.asarray(right, np.float64)
    if numbers.shape != chances.shape or numbers.ndim != 1:
        raise ValueError("worker and right must be flat and of the same length")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("right must hold probabilities")
    found = np.full(workers, -1, np.int64)
    sizes = np.bincount(numbers, minlength=workers)
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(sizes)
    first = 0
    while first < workers:
        start = ends[first] - sizes[first]
        last = max(first + 1, int(np.searchsorted(ends, start + BLOCK, "right")))
        block = chances[order[start : ends[last - 1]]]
        found[first:last] = _turns(sizes[first:last], block)
        first = last
    return found


def _turns(sizes: Ints, right: Floats) -> Ints:
    """Of annotators one after the other, each with so many answers."""
    found = np.full(len(sizes), -1, np.int64)
    if not len(right):
        return found
    starts = np.cumsum(sizes) - sizes
    total, known = np.repeat(sizes, sizes), np.concatenate([[0.0], np.cumsum(right)])
    before = np.arange(len(right)) - np.repeat(starts, sizes)  # answers before a turn here
    after = total - before
    sums = np.repeat(known[starts + sizes] - known[starts], sizes)
    early = known[:-1] - np.repeat(known[starts], sizes)  # right ones before
    late = sums - early
    gain = _likelihood(early, before) + _likelihood(late, after) - _likelihood(sums, total)
    drop = (early + 0.5) / (before + 1) - (late + 0.5) / (after + 1)
    gain[(before < BEFORE) | (after < AFTER) | (drop < DROP)] = 0.0
    used = np.flatnonzero(sizes)
    best = np.maximum.reduceat(gain, starts[used])
    place = np.flatnonzero(gain == np.repeat(best, sizes[used]))
    owner, at = np.unique(np.repeat(np.arange(len(sizes)), sizes)[place], return_index=True)
    turned = best[np.searchsorted(used, owner)] > EVIDENCE
    found[owner[turned]] = before[place[at[turned]]]
    return found


def _likelihood(hits: Floats, count: npt.NDArray[np.int64]) -> Floats:
    """Of so many hits at their own rate, a log-likelihood in nats; 0 for nothing."""
    rate = np.clip(hits / np.maximum(count, 1), 0.0, 1.0)
    likelihood: Floats = count * (xlogy(rate, rate) + xlogy(1 - rate, 1 - rate))
    return likelihood
