"""How far a model's word on yes-or-no questions is trusted: by what people say of the same."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]
from scipy.special import expit  # type: ignore[import-untyped]

from .answers import Floats

CAUTIOUS = 0.5  # what of a model's log-odds counts before anything is known about it …
CAUTION = 4.0  # … as if some twenty questions had shown it
MOST = 1.0


def trust(
    gain: npt.ArrayLike,
    prior: npt.ArrayLike,
    evidence: npt.ArrayLike,
    *,
    start: float = CAUTIOUS,
) -> float:
    """The factor in 0 … 1 on a model's log-odds that makes people's answers most likely.

    gain: (n,) the model's log-odds of yes, less those of the base rate. prior: (n,) log-odds before
    model and people spoke. evidence: (n,) log-likelihood ratio of people's answers, yes to no; a
    question that is known has a large one. A model that tells nothing, or tells it wrong, gets
    about 0, an honest one about 1; few questions leave it near `start`.
    """
    told, before, said = (np.asarray(x, np.float64) for x in (gain, prior, evidence))

    def loss(factor: float) -> float:
        scores = before + factor * told
        # log of σ(score)·L(yes) + σ(-score)·L(no), where L(yes)/L(no) = exp(said)
        likely: Floats = np.logaddexp(scores + said, 0) - np.logaddexp(scores, 0)
        return CAUTION * (factor - start) ** 2 - float(likely.sum())

    return float(minimize_scalar(loss, bounds=(0.0, MOST), method="bounded").x)


def anchored(log_odds: Floats, rate: float) -> Floats:
    """The log-odds moved together so that their mean probability is `rate`."""
    low, high = -30.0, 30.0
    for _ in range(50):
        middle = (low + high) / 2
        if float(expit(log_odds + middle).mean()) < rate:
            low = middle
        else:
            high = middle
    moved: Floats = log_odds + (low + high) / 2
    return moved
