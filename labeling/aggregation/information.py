"""What one more answer to a question is worth, and when no further one is.

Annotators are held as in `online`: sensitivity is the chance of "yes" where the truth is yes,
specificity that of "no" where it is no. Everything here is in closed form or a short recursion.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr  # type: ignore[import-untyped]

from labeling.aggregation.online import RIGHT, WRONG, log_odds, probability

AVERAGE = RIGHT / (RIGHT + WRONG)  # how often an annotator is right of whom nothing is known
STEP = math.log(RIGHT / WRONG)  # what such an answer adds to the log-odds
SPLIT = 0.1  # share of questions to which people answer as a coin falls
GRAIN = 10  # steps of one unit of log-odds, to which beliefs are rounded where prospects are kept


def information(
    sensitivity: ArrayLike, specificity: ArrayLike, probability: ArrayLike
) -> NDArray[np.float64]:
    """Bits by which an answer by such an annotator is expected to lessen a question's entropy.

    All three in [0, 1]; arrays broadcast. It is the mutual information of answer and truth (D. V.
    Lindley, "On a measure of the information provided by an experiment", 1956): 0 for a coin and
    on a certain question, at most 1.
    """
    sensitivity, specificity = np.asarray(sensitivity, float), np.asarray(specificity, float)
    belief = np.asarray(probability, float)
    yes = belief * sensitivity + (1 - belief) * (1 - specificity)
    told = _bits(yes) - belief * _bits(sensitivity) - (1 - belief) * _bits(specificity)
    return np.asarray(np.maximum(told, 0.0))


class Prospect(NamedTuple):
    """What asking on would lead to, until the question settles, can settle no more, or is full."""

    settled: float  # the chance that it settles, and rightly
    answers: float  # how many answers that is expected to take

    @property
    def worth(self) -> float:
        """Right labels an answer."""
        return self.settled / self.answers if self.answers else 0.0


def prospect(belief: float, *, yes: int, no: int, left: int, settle_at: float) -> Prospect:
    """What `left` more answers by average annotators are expected to bring a question.

    `belief` is its probability now, after `yes` and `no` answers; it settles at `settle_at`,
    either way. The more evenly people were split, the likelier is a question that nobody can
    answer (one in ten is, before anybody was asked): there they answer as a coin falls, and
    nothing that settles it is right.
    """
    odds = math.floor(GRAIN * abs(log_odds(belief)))  # down: what is not settled stays so
    more, fewer = (yes, no) if belief >= 0.5 else (no, yes)
    return _prospect(odds, more, fewer, left, settle_at)


def relative_worth(belief: float, *, yes: int, no: int, left: int, settle_at: float) -> float:
    """The worth of an answer to this question, in that of one to a new and wholly open question.

    As many answers may be given to the new question as to this one in all.
    """
    new = prospect(0.5, yes=0, no=0, left=yes + no + left, settle_at=settle_at).worth
    here = prospect(belief, yes=yes, no=no, left=left, settle_at=settle_at).worth
    return here / new if new else 0.0


@lru_cache(maxsize=100_000)
def _prospect(odds: int, more: int, fewer: int, left: int, settle_at: float) -> Prospect:
    """`prospect` for log-odds of odds / GRAIN towards what `more` answers said."""
    split = _split(more, fewer)
    towards = odds / GRAIN
    certain = log_odds(settle_at)
    if towards >= certain:
        return Prospect((1 - split) * probability(towards), 0.0)
    if towards + left * STEP < certain:
        return Prospect(0.0, 0.0)
    belief = probability(towards)
    agree = split / 2 + (1 - split) * (belief * AVERAGE + (1 - belief) * (1 - AVERAGE))
    step = round(GRAIN * STEP)
    after = _prospect(odds + step, more + 1, fewer, left - 1, settle_at)
    if odds >= step:
        other = _prospect(odds - step, more, fewer + 1, left - 1, settle_at)
    else:
        other = _prospect(step - odds, fewer + 1, more, left - 1, settle_at)
    return Prospect(
        agree * after.settled + (1 - agree) * other.settled,
        1 + agree * after.answers + (1 - agree) * other.answers,
    )


def _split(more: int, fewer: int) -> float:
    """The chance that people answer this question as a coin falls, given their answers."""
    clear = AVERAGE**more * (1 - AVERAGE) ** fewer + AVERAGE**fewer * (1 - AVERAGE) ** more
    coin = SPLIT * 2 * 0.5 ** (more + fewer)
    return coin / (coin + (1 - SPLIT) * clear)


def _bits(share: NDArray[np.float64]) -> Any:
    return (entr(share) + entr(1 - share)) / math.log(2)
