"""The weight of a model on yes-or-no questions, fitted to people's answers to the same questions.

A logistic regression with one coefficient: the log-odds of a question are a prior plus the weight
times what the model's log-odds add to the base rate. It is the maximum a posteriori estimate under
a normal prior around `DEFAULT_WEIGHT`, with people's answers as uncertain labels.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # type: ignore[import-untyped]

from labeling.aggregation.answers import Floats

DEFAULT_WEIGHT = 0.5  # before any question has shown anything
PRIOR_PRECISION = 4.0  # half the precision of its prior: about what twenty questions tell
MAX_WEIGHT = 1.0
LARGEST = 30.0  # log-odds by which `match_prevalence` moves at most
STEPS = 50  # of its bisection


def fit_model_weight(
    gain: npt.ArrayLike,
    prior: npt.ArrayLike,
    evidence: npt.ArrayLike,
    *,
    start: float = DEFAULT_WEIGHT,
) -> float:
    """Return the factor in [0, 1] on a model's log-odds under which the answers are most likely.

    gain: (n,) the model's log-odds of yes, less those of the base rate.
    prior: (n,) log-odds before model and people.
    evidence: (n,) log-likelihood ratio, yes to no, of people's answers; large where the truth is
        known.
    start: the mean of the weight's prior; few questions leave the weight near it.

    A model that is uninformative or wrong gets about 0, a calibrated one about 1.
    """
    # Imported where it is needed: every process would start a sixth of a second later.
    from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]

    shift, before, votes = (np.asarray(x, np.float64) for x in (gain, prior, evidence))

    def loss(weight: float) -> float:
        scores = before + weight * shift
        # log of σ(score)·L(yes) + σ(-score)·L(no), where L(yes)/L(no) = exp(votes)
        likelihood: Floats = np.logaddexp(scores + votes, 0) - np.logaddexp(scores, 0)
        return PRIOR_PRECISION * (weight - start) ** 2 - float(likelihood.sum())

    return float(minimize_scalar(loss, bounds=(0.0, MAX_WEIGHT), method="bounded").x)


def match_prevalence(
    log_odds: Floats, prevalence: float, weights: npt.NDArray[np.int64] | None = None
) -> Floats:
    """Return the log-odds (n,), moved by one constant so that their mean probability fits.

    prevalence: the mean probability wanted, in (0, 1). weights: (n,) how often each counts.
    """
    low, high = -LARGEST, LARGEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        if float(np.average(expit(log_odds + middle), weights=weights)) < prevalence:
            low = middle
        else:
            high = middle
    moved: Floats = log_odds + (low + high) / 2
    return moved
