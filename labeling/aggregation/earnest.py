"""Whether answers were given in earnest: what a newcomer's answer, or a failed challenge's, weighs.

A mixture of ways to answer: in earnest, or by a rule that knows nothing of the picture (at random,
always yes, always no, always the opposite). Which one it was is inferred twice, by Bayes' theorem:

- of an annotator, by all that is known of their answers (`shares`). An answer is evidence only as
  far as it tells yes from no under the mixture (`evidence`). Somebody who was never seen to say a
  right "yes" may be saying "no" to everything: their "no" weighs little until they were.
- of a challenge, by those of its answers whose truth is known (`challenge_weights`). One slip
  leaves most of the weight, answers that are all wrong leave next to none.

Spammers as a component of their own: V. C. Raykar and S. Yu, "Eliminating spammers and ranking
annotators for crowdsourced labeling tasks", JMLR 13 (2012); modes of answering by task:
D. Hovy et al., "Learning whom to trust with MACE", NAACL 2013.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labeling.aggregation import online
from labeling.aggregation.online import PRIOR_RIGHT, PRIOR_WRONG, ConfusionCounts

# The probability that somebody answers in earnest before anything is known of them.
ANYBODY = 0.5  # where whoever comes may answer, and people can be judged by one another alone
UNPROVEN = 0.2  # … and gold will tell: until it has, answers weigh little
INVITED = 0.95  # where only those answer who were invited
# The probability that the next challenge is answered in earnest by somebody who is known to.
PROVEN = 0.85
GOLD_ERROR = 0.02  # share of known truths that are wrong
# Bounds of the accuracy that is assumed of an earnest annotator where a challenge is judged.
EARNEST_ACCURACY = 0.6, 0.95

# How the others answer: the chance of "yes" where the truth is yes, and of "no" where it is no.
GUESSING, YES_SAYING, NO_SAYING, LYING = (0.5, 0.5), (0.95, 0.05), (0.05, 0.95), (0.15, 0.15)
OTHER_WAYS = GUESSING, YES_SAYING, NO_SAYING, LYING  # equally likely

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


class Shares(NamedTuple):
    """The posterior probabilities of the ways to answer; they sum to one."""

    earnest: float
    guessing: float
    yes_saying: float
    no_saying: float
    lying: float


def shares(counts: ConfusionCounts, prior: float = ANYBODY) -> Shares:
    """Return how probably an annotator with these counts answers in which way.

    prior: the probability of "in earnest" before any answer. Sensitivity and specificity of an
    earnest annotator have the Beta prior of `online`.
    """
    tp, fn, tn, fp = counts
    logs = [math.log(prior) + _log_beta_binomial(tp, fn) + _log_beta_binomial(tn, fp)]
    other = math.log((1 - prior) / len(OTHER_WAYS))
    for sensitivity, specificity in OTHER_WAYS:
        logs.append(
            other
            + tp * math.log(sensitivity)
            + fn * math.log(1 - sensitivity)
            + tn * math.log(specificity)
            + fp * math.log(1 - specificity)
        )
    largest = max(logs)
    weights = [math.exp(each - largest) for each in logs]
    total = math.fsum(weights)
    return Shares(*(weight / total for weight in weights))


def evidence(counts: ConfusionCounts, answer: bool, prior: float = ANYBODY) -> float:
    """Return what an answer adds to the log-odds of its question, under the mixture.

    It lies between 0 and `online.evidence`, which is that of an annotator known to be earnest.
    Liars count as if they guessed: else those could be believed who lie about known truths only.
    """
    return online.evidence(counts, answer) * trust(counts, answer, prior)


def trust(counts: ConfusionCounts, answer: bool, prior: float = ANYBODY) -> float:
    """Return the share in [0, 1] of an earnest annotator's evidence that this answer has."""
    if abs(full := online.evidence(counts, answer)) < online.EDGE:
        return 1.0
    ways = shares(counts, prior)
    sensitivity, specificity = counts.sensitivity, counts.specificity
    blind = 0.5 * (ways.guessing + ways.lying)
    yes_yes, no_no = (
        ways.earnest * rate + ways.yes_saying * yes_sayer + ways.no_saying * no_sayer + blind
        for rate, yes_sayer, no_sayer in zip(
            (sensitivity, specificity), YES_SAYING, NO_SAYING, strict=True
        )
    )
    ratio = yes_yes / (1 - no_no) if answer else (1 - yes_yes) / no_no
    return min(max(math.log(ratio) / full, 0.0), 1.0)


def accuracy(counts: ConfusionCounts) -> float:
    """Return the chance of a right answer that a challenge in earnest is judged by."""
    mean = (counts.sensitivity + counts.specificity) / 2
    return min(max(mean, EARNEST_ACCURACY[0]), EARNEST_ACCURACY[1])


def challenge_prior(counts: ConfusionCounts, prior: float = ANYBODY) -> float:
    """Return the probability that an annotator's next challenge is answered in earnest.

    It is at least the prior: that challenges failed is held against the annotator by `trust`.
    """
    return min(max(shares(counts, prior).earnest, prior), PROVEN)


def challenge_weights(
    challenge: Index, value: Bools, known: Floats, accuracy: Floats, prior: Floats
) -> Floats:
    """Return (C,) what each challenge weighs, in [0, 1], by its answers whose truth is known.

    challenge: (N,) of each answer, below C. value: (N,) yes or no.
    known: (N,) the probability that the truth is yes; NaN where nothing is known.
    accuracy: (N,) of the annotator, as of `accuracy`.
    prior: (C,) probability of "in earnest", as of `challenge_prior`.

    The weight is the posterior of "in earnest" over its prior, and 1 at most: a challenge that was
    passed weighs as much as its annotator's others.
    """
    is_known = ~np.isnan(known)
    challenge, value, truth = challenge[is_known], value[is_known], known[is_known]
    truth = truth.clip(GOLD_ERROR, 1 - GOLD_ERROR)
    right = accuracy[is_known]

    def likelihood(sensitivity: Floats | float, specificity: Floats | float) -> Floats:
        yes = truth * sensitivity + (1 - truth) * (1 - specificity)
        logs = np.log(np.where(value, yes, 1 - yes))
        sums: Floats = np.bincount(challenge, logs, len(prior)).astype(np.float64)
        return sums

    earnest = np.log(prior) + likelihood(right, right)
    other = np.log((1 - prior) / len(OTHER_WAYS))
    others = [other + likelihood(*way) for way in OTHER_WAYS]
    posterior = np.exp(earnest - np.logaddexp.reduce([earnest, *others]))
    weights: Floats = np.minimum(posterior / prior, 1.0)
    return weights


def _log_beta_binomial(right: float, wrong: float) -> float:
    """Return the log-likelihood of so many right and wrong answers, in their order."""
    total = PRIOR_RIGHT + PRIOR_WRONG
    return (
        math.lgamma(right + PRIOR_RIGHT)
        + math.lgamma(wrong + PRIOR_WRONG)
        - math.lgamma(right + wrong + total)
        - _LOG_BETA
    )


_LOG_BETA = (
    math.lgamma(PRIOR_RIGHT) + math.lgamma(PRIOR_WRONG) - math.lgamma(PRIOR_RIGHT + PRIOR_WRONG)
)
