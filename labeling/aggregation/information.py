"""The value of asking on: what one more answer tells, and what more answers can settle.

Annotators are those of `online`: sensitivity is the chance of "yes" where the truth is yes,
specificity that of "no" where it is no.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr  # type: ignore[import-untyped]

from labeling.aggregation.online import log_odds, probability, tempered_posterior

TYPICAL_ACCURACY = 0.93  # of the annotators who are assumed to answer next
STEP = log_odds(TYPICAL_ACCURACY)  # what such an answer adds to the log-odds
GRAIN = 5  # steps per unit of log-odds, to which posteriors are rounded for the cache


def information_gain(
    sensitivity: ArrayLike, specificity: ArrayLike, probability: ArrayLike
) -> NDArray[np.float64]:
    """Return the bits by which an answer is expected to reduce the entropy of a question.

    All three arguments are in [0, 1]; arrays broadcast. It is the mutual information of answer and
    truth (D. V. Lindley, "On a measure of the information provided by an experiment", 1956): at
    most 1, and 0 for random answers and for certain questions.
    """
    sensitivity, specificity = np.asarray(sensitivity, float), np.asarray(specificity, float)
    p = np.asarray(probability, float)
    says_yes = p * sensitivity + (1 - p) * (1 - specificity)
    given_truth = p * _entropy(sensitivity) + (1 - p) * _entropy(specificity)
    return np.asarray(np.maximum(_entropy(says_yes) - given_truth, 0.0))


class Lookahead(NamedTuple):
    """The outcome of asking until a question settles, can settle no more, or is at its cap."""

    settled: float  # the chance that it settles, and rightly
    answers: float  # the expected number of answers

    @property
    def labels_per_answer(self) -> float:
        return self.settled / self.answers if self.answers else 0.0


def lookahead(
    posterior: float, *, prior: float, yes: int, no: int, left: int, settle_at: float
) -> Lookahead:
    """Return what at most `left` more answers by typical annotators lead to.

    `posterior` is the probability now, after `yes` and `no` answers, `prior` that before any. The
    question settles at a probability of `settle_at`, either way. Answers move the probability as
    in `online.tempered_posterior`: the more evenly people were split, the less another one counts.
    """
    start = round(log_odds(prior) * 2) / 2
    offset = (log_odds(posterior) - _odds(start, yes, no)) * GRAIN
    return _lookahead(start, round(offset) / GRAIN, yes, no, left, settle_at)


def relative_value(
    posterior: float, *, prior: float, yes: int, no: int, left: int, settle_at: float
) -> float:
    """Return the labels per answer to this question, relative to a new and wholly open question.

    The new question has the same cap on answers. No more certainty is asked for than a quarter of
    those answers bring if they agree: more is out of reach of most questions.
    """
    total = yes + no + left
    settle_at = min(settle_at, probability(_odds(0.0, max(1, total // 4), 0)))
    new = lookahead(0.5, prior=0.5, yes=0, no=0, left=total, settle_at=settle_at)
    here = lookahead(posterior, prior=prior, yes=yes, no=no, left=left, settle_at=settle_at)
    return here.labels_per_answer / new.labels_per_answer


@lru_cache(maxsize=200_000)
def _lookahead(
    start: float, offset: float, yes: int, no: int, left: int, settle_at: float, steps: int = 0
) -> Lookahead:
    """Return the lookahead by recursion over both answers.

    `start` is the prior in log-odds; `offset` is the posterior's log-odds, less what typical
    answers would have led to; `steps` is 0 for the question as it stands, which may be open
    although it looks certain.
    """
    posterior = probability(_odds(start, yes, no) + offset)
    if steps and max(posterior, 1 - posterior) >= settle_at:
        return Lookahead(max(posterior, 1 - posterior), 0.0)
    extremes = (_odds(start, yes + left, no), _odds(start, yes, no + left))
    if left == 0 or max(extremes[0] + offset, -extremes[1] - offset) < log_odds(settle_at):
        return Lookahead(0.0, 0.0)
    says_yes = posterior * TYPICAL_ACCURACY + (1 - posterior) * (1 - TYPICAL_ACCURACY)
    after_yes = _lookahead(start, offset, yes + 1, no, left - 1, settle_at, 1)
    after_no = _lookahead(start, offset, yes, no + 1, left - 1, settle_at, 1)
    return Lookahead(
        says_yes * after_yes.settled + (1 - says_yes) * after_no.settled,
        1 + says_yes * after_yes.answers + (1 - says_yes) * after_no.answers,
    )


@lru_cache(maxsize=20_000)
def _odds(start: float, yes: int, no: int) -> float:
    """Return the log-odds after so many typical answers, from a prior in log-odds."""
    return log_odds(tempered_posterior(probability(start), [STEP] * yes + [-STEP] * no))


def _entropy(share: NDArray[np.float64]) -> Any:
    """Return the entropy in bits of yes or no at that share of yes."""
    return (entr(share) + entr(1 - share)) / math.log(2)
