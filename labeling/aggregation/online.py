"""One answer at a time: what it says about its question, and about the one who gave it.

A question is held as log-odds of "yes". An annotator is held as four expected counts of the
two-coin model (V. C. Raykar et al., "Learning from crowds", JMLR 11, 2010): sensitivity is the
chance of "yes" where the truth is yes, specificity that of "no" where it is no.
"""

import math
from typing import NamedTuple

from scipy.special import betaincinv  # type: ignore[import-untyped]

RIGHT, WRONG = 8.5, 1.5  # the Beta prior of both coins: .85 right, worth ten answers
CAP = 3.0  # one answer is worth at most a likelihood ratio of 20 …
REVERSED_CAP = 0.5  # … and that of someone worse than chance at most 1.6, the other way round
TAIL = 0.05  # on each side of the credible interval


class Counts(NamedTuple):
    """Expected answers of an annotator by truth and answer, without the prior."""

    tp: float = 0.0  # truth yes, said yes
    fn: float = 0.0  # truth yes, said no
    tn: float = 0.0  # truth no, said no
    fp: float = 0.0  # truth no, said yes

    @property
    def sensitivity(self) -> float:
        return (self.tp + RIGHT) / (self.tp + self.fn + RIGHT + WRONG)

    @property
    def specificity(self) -> float:
        return (self.tn + RIGHT) / (self.tn + self.fp + RIGHT + WRONG)


def log_odds(probability: float) -> float:
    """Log-odds of a probability, which is kept away from 0 and 1 by a millionth."""
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))


def probability(log_odds: float) -> float:
    """The inverse of `log_odds`, for a number of any size."""
    return 0.5 * (1 + math.tanh(log_odds / 2))


def evidence(counts: Counts, answer: bool) -> float:
    """What the answer adds to its question's log-odds.

    It is in [-REVERSED_CAP, CAP] towards the answer: beyond zero an annotator who is more often
    wrong than right speaks for the opposite, but only a little, or lying would be a lever.
    """
    if answer:
        towards = math.log(counts.sensitivity / (1 - counts.specificity))
        return min(max(towards, -REVERSED_CAP), CAP)
    towards = math.log(counts.specificity / (1 - counts.sensitivity))
    return -min(max(towards, -REVERSED_CAP), CAP)


def credit(counts: Counts, answer: bool, belief: float) -> Counts:
    """The annotator's counts after an answer, given the probability of "yes" before that answer.

    The answer is shared out between both truths in proportion to their probability with the
    answer counted in, and weighs |2 belief - 1|: nothing is learned about an annotator from a
    question on which nothing is known. On gold the belief is 0 or 1, and the answer counts whole.
    """
    if not 0 <= belief <= 1:
        raise ValueError(f"a belief is a probability, not {belief}")
    weight = abs(2 * belief - 1)
    true = belief
    if 0 < belief < 1:
        true = probability(log_odds(belief) + evidence(counts, answer))
    if answer:
        return counts._replace(tp=counts.tp + weight * true, fp=counts.fp + weight * (1 - true))
    return counts._replace(fn=counts.fn + weight * true, tn=counts.tn + weight * (1 - true))


def reliability(counts: Counts) -> tuple[float, float, float]:
    """(mean, low, high) of the chance of a right answer where yes and no are equally frequent.

    This is the mean of sensitivity and specificity, so that always saying "no" earns .5. The
    interval holds 90 %, by the Beta distribution with the same mean and variance.
    """
    sensitivity, specificity = counts.sensitivity, counts.specificity
    mean = (sensitivity + specificity) / 2
    variance = (
        sensitivity * (1 - sensitivity) / (counts.tp + counts.fn + RIGHT + WRONG + 1)
        + specificity * (1 - specificity) / (counts.tn + counts.fp + RIGHT + WRONG + 1)
    ) / 4
    size = mean * (1 - mean) / variance - 1
    low, high = betaincinv(mean * size, (1 - mean) * size, [TAIL, 1 - TAIL])
    return mean, float(low), float(high)
