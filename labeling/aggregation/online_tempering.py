"""How answers are to be tempered as they come, to arrive where the batch method arrives."""

from itertools import product

import numpy as np
import numpy.typing as npt

from .online import CAP, DEPENDENCE, ONE, REVERSED_CAP, SPLITS, Temper

STRENGTHS = np.arange(0.2, 1.55, 0.1)
AMBIGUITIES = 0.02, 0.05, 0.1, 0.2, 0.4
LEAST = 30  # questions without which nothing is tuned

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]


def evidence(sensitivity: Floats, specificity: Floats, answer: Bools) -> Floats:
    """(N,) the log-likelihood ratios of `online.evidence`, of annotators with these coins."""
    yes = np.log(sensitivity / (1 - specificity)).clip(-REVERSED_CAP, CAP)
    no = np.log(specificity / (1 - sensitivity)).clip(-REVERSED_CAP, CAP)
    ratios: Floats = np.where(answer, yes, -no)
    return ratios


def tuned(question: Ints, ratios: Floats, prior: Floats, posterior: Floats) -> Temper:
    """The temper under which `online.shown` comes nearest to the posterior, by the mean gap.

    question: (N,) which question each answer belongs to; ratios: (N,) its evidence.
    prior, posterior: (Q,) probabilities of "yes". As usual where the questions are too few.
    """
    if len(prior) < LEAST:
        return Temper()
    sums = _Sums(question, ratios, prior)
    tempers = [Temper(float(s), a) for s, a in product(STRENGTHS, AMBIGUITIES)]
    gaps = [float(np.abs(sums.shown(temper) - posterior).mean()) for temper in tempers]
    return tempers[int(np.argmin(gaps))]


class _Sums:
    """The evidence of each question, summed up for every state."""

    def __init__(self, question: Ints, ratios: Floats, prior: Floats) -> None:
        def total(values: Floats) -> Floats:
            sums: Floats = np.bincount(question, values, len(prior)).astype(np.float64)
            return sums

        mixed = [total(np.log(z * np.exp(ratios) + 1 - z)) for z in SPLITS]
        self.scores = np.stack([np.zeros(len(prior)), total(ratios), *mixed])  # (5, Q)
        self.count = np.maximum(total(np.abs(ratios)) / ONE, 1.0)
        self.prior = prior

    def shown(self, temper: Temper) -> Floats:
        """(Q,) as `online.shown` has it."""
        split = 2 * temper.ambiguity * np.minimum(self.prior, 1 - self.prior)
        pure = [1 - self.prior - split / 2, self.prior - split / 2]
        weights = np.stack([*pure, *[split / len(SPLITS)] * len(SPLITS)])
        strength = temper.strength / (1 + DEPENDENCE * (self.count - 1))
        weights = weights * np.exp(strength * (self.scores - self.scores.max(0)))
        shares = np.array([0.0, 1.0, *SPLITS])
        believed: Floats = shares @ weights / weights.sum(0)
        return believed
