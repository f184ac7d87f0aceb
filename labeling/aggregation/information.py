"""What one more answer to a question is worth, and when no further one is.

Annotators are held as in `online`: sensitivity is the chance of "yes" where the truth is yes,
specificity that of "no" where it is no.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr  # type: ignore[import-untyped]

from labeling.aggregation.online import log_odds, probability, tempered_posterior

TYPICAL_ACCURACY = 0.93  # how often those are right who are taken to answer next
STEP = log_odds(TYPICAL_ACCURACY)  # what such an answer adds to the log-odds
GRAIN = 5  # steps of one unit of log-odds, to which beliefs are rounded where prospects are kept


def information_gain(
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


class Lookahead(NamedTuple):
    """What asking on would lead to, until the question settles, can settle no more, or is full."""

    settled: float  # the chance that it settles, and rightly
    answers: float  # how many answers that is expected to take

    @property
    def worth(self) -> float:
        """Right labels an answer."""
        return self.settled / self.answers if self.answers else 0.0


def lookahead(
    belief: float, *, prior: float, yes: int, no: int, left: int, settle_at: float
) -> Lookahead:
    """What at most `left` more answers by careful annotators are expected to bring a question.

    `belief` is its probability now, after `yes` and `no` answers, `prior` that before any; it
    settles at `settle_at`, either way. Answers move it as in `online.tempered_posterior`: the
    more evenly people were split, the less another answer counts.
    """
    start = round(log_odds(prior) * 2) / 2
    offset = (log_odds(belief) - _odds(start, yes, no)) * GRAIN
    return _lookahead(start, round(offset) / GRAIN, yes, no, left, settle_at)


def relative_value(
    belief: float, *, prior: float, yes: int, no: int, left: int, settle_at: float
) -> float:
    """The worth of an answer to this question, in that of one to a new and wholly open question.

    As many answers may be given to the new question as to this one in all. No more certainty is
    asked for than a quarter of them bring, should they agree: more is out of reach of most.
    """
    total = yes + no + left
    settle_at = min(settle_at, probability(_odds(0.0, max(1, total // 4), 0)))
    new = lookahead(0.5, prior=0.5, yes=0, no=0, left=total, settle_at=settle_at)
    here = lookahead(belief, prior=prior, yes=yes, no=no, left=left, settle_at=settle_at)
    return here.worth / new.worth


@lru_cache(maxsize=200_000)
def _lookahead(
    start: float, offset: float, yes: int, no: int, left: int, settle_at: float, steps: int = 0
) -> Lookahead:
    """`lookahead`, where log-odds are `offset` beside those that such answers would have led to."""
    belief = probability(_odds(start, yes, no) + offset)
    if steps and max(belief, 1 - belief) >= settle_at:
        return Lookahead(max(belief, 1 - belief), 0.0)
    ends = (_odds(start, yes + left, no), _odds(start, yes, no + left))
    if left == 0 or max(ends[0] + offset, -ends[1] - offset) < log_odds(settle_at):
        return Lookahead(0.0, 0.0)
    says_yes = belief * TYPICAL_ACCURACY + (1 - belief) * (1 - TYPICAL_ACCURACY)
    after_yes = _lookahead(start, offset, yes + 1, no, left - 1, settle_at, 1)
    after_no = _lookahead(start, offset, yes, no + 1, left - 1, settle_at, 1)
    return Lookahead(
        says_yes * after_yes.settled + (1 - says_yes) * after_no.settled,
        1 + says_yes * after_yes.answers + (1 - says_yes) * after_no.answers,
    )


@lru_cache(maxsize=20_000)
def _odds(start: float, yes: int, no: int) -> float:
    """Log-odds after so many answers by careful annotators."""
    return log_odds(tempered_posterior(probability(start), [STEP] * yes + [-STEP] * no))


def _bits(share: NDArray[np.float64]) -> Any:
    return (entr(share) + entr(1 - share)) / math.log(2)
