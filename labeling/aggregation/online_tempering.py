"""Fit the online tempering to the posterior of the batch method.

A grid search over strength and ambiguity: answers that are tempered as they come should arrive
where the recomputation of all answers arrives.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

from labeling.aggregation.online import (
    ANSWER_CORRELATION,
    EDGE,
    MAX_EVIDENCE,
    MAX_REVERSED_EVIDENCE,
    NEWCOMER_EVIDENCE,
    SPLITS,
    Tempering,
)

STRENGTHS = np.arange(0.2, 1.55, 0.1)
AMBIGUITIES = 0.02, 0.05, 0.1, 0.2, 0.4
MIN_QUESTIONS = 30  # with fewer, the default is kept

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]


def evidence(sensitivity: Floats, specificity: Floats, answer: Bools) -> Floats:
    """Return the log-likelihood ratios (N,) of N answers: `online.evidence` for arrays."""
    yes = np.log(sensitivity / (1 - specificity)).clip(-MAX_REVERSED_EVIDENCE, MAX_EVIDENCE)
    no = np.log(specificity / (1 - sensitivity)).clip(-MAX_REVERSED_EVIDENCE, MAX_EVIDENCE)
    ratios: Floats = np.where(answer, yes, -no)
    return ratios


def fit_tempering(question: Ints, evidence: Floats, prior: Floats, posterior: Floats) -> Tempering:
    """Return the tempering under which `online.tempered_posterior` is nearest to a posterior.

    question: (N,) index of each answer's question, below Q.
    evidence: (N,) the answers' log-likelihood ratios.
    prior, posterior: (Q,) probabilities of "yes".

    Nearest is the least mean absolute difference. Returns the default for too few questions.
    """
    if len(prior) < MIN_QUESTIONS:
        return Tempering()
    questions = _Questions(question, evidence, prior)
    grid = [Tempering(float(s), a) for s, a in product(STRENGTHS, AMBIGUITIES)]
    gaps = [float(np.abs(questions.posterior(each) - posterior).mean()) for each in grid]
    return grid[int(np.argmin(gaps))]


class _Questions:
    """Q questions with the log-likelihood of their answers under each possible truth."""

    def __init__(self, question: Ints, evidence: Floats, prior: Floats) -> None:
        def total(values: Floats) -> Floats:
            sums: Floats = np.bincount(question, values, len(prior)).astype(np.float64)
            return sums

        mixed = [total(np.log(z * np.exp(evidence) + 1 - z)) for z in SPLITS]
        self.likelihood = np.stack([np.zeros(len(prior)), total(evidence), *mixed])  # (5, Q)
        self.answers = np.maximum(total(np.abs(evidence)) / NEWCOMER_EVIDENCE, 1.0)  # (Q,)
        self.prior = prior.clip(EDGE, 1 - EDGE)

    def posterior(self, tempering: Tempering) -> Floats:
        """Return (Q,) what `online.tempered_posterior` gives."""
        split = 2 * tempering.ambiguity * np.minimum(self.prior, 1 - self.prior)
        pure = [1 - self.prior - split / 2, self.prior - split / 2]
        weights = np.stack([*pure, *[split / len(SPLITS)] * len(SPLITS)])  # (5, Q)
        exponent = tempering.strength / (1 + ANSWER_CORRELATION * (self.answers - 1))
        weights = weights * np.exp(exponent * (self.likelihood - self.likelihood.max(0)))
        shares = np.array([0.0, 1.0, *SPLITS])
        posterior: Floats = shares @ weights / weights.sum(0)
        return posterior
