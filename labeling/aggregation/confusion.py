"""Confusion matrices under a hierarchical prior: few answers mean an average annotator.

A row of an annotator's matrix is a Dirichlet draw around the crowd's row as an annotator of that
ability would have it; abilities are Beta draws around the crowd's accuracy. The concentrations are
learned by the fixed point of T. P. Minka, "Estimating a Dirichlet distribution" (2000). W
annotators, K classes, S states (the classes first).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import digamma, expit, logit  # type: ignore[import-untyped]

from labeling.aggregation.answers import Floats
from labeling.aggregation.states import States

PRIOR_ACCURACY = 0.8  # of the crowd
PRIOR_WEIGHT = 10.0  # of that accuracy, in answers
CROWD_WEIGHT = 4.0  # pseudo-answers per class for each row of the crowd's confusion matrix
CONCENTRATIONS = 0.5, 200.0  # bounds of the learned concentrations
MIN_ANSWERS = 0.01  # expected answers below which a row says nothing about a concentration
SMOOTHING = 1e-9  # of the crowd's errors, where it made none


@dataclass
class Hierarchy:
    """The concentrations learned so far, in pseudo-answers."""

    ability: float = 10.0  # of annotators around the crowd's accuracy
    row: float = 10.0  # of a confusion row around the one expected at that ability
    split: float = 10.0  # of a split state's row around the mixture of its two classes'

    accuracy: float = field(default=PRIOR_ACCURACY, init=False)  # of the crowd

    def tables(self, counts: Floats, states: States) -> Floats:
        """Return answer probabilities (W, S, K) for expected counts (W, S, K), and learn."""
        k = counts.shape[2]
        if k == 1:
            return np.ones_like(counts)
        table = np.empty_like(counts)
        table[:, :k] = self._rows(counts[:, :k])
        if len(states) > k:
            share = states.share[k:, None]
            mixed = (1 - share) * table[:, states.first[k:]] + share * table[:, states.second[k:]]
            flat, mean = counts[:, k:].reshape(-1, k), mixed.reshape(-1, k)
            self.split = _concentration(flat, mean, self.split, steps=1)
            table[:, k:] = _shrunk(counts[:, k:], mixed, self.split)
        return table

    def _rows(self, counts: Floats) -> Floats:
        """Return confusion matrices (W, K, K), shrunk to the crowd's at each one's ability."""
        k = counts.shape[2]
        right = np.einsum("jkk->j", counts)
        total = counts.sum((1, 2))
        hits = right.sum() + PRIOR_WEIGHT * PRIOR_ACCURACY
        self.accuracy = float(hits / (total.sum() + PRIOR_WEIGHT))
        sides = np.stack([right, total - right], 1)
        mean = np.broadcast_to([self.accuracy, 1 - self.accuracy], sides.shape)
        self.ability = _concentration(sides, mean, self.ability)
        ability = (right + self.ability * self.accuracy) / (total + self.ability)
        expected = _at_ability(_crowd(counts.sum(0), self.accuracy), ability, self.accuracy)
        self.row = _concentration(counts.reshape(-1, k), expected.reshape(-1, k), self.row)
        return _shrunk(counts, expected, self.row)


def _shrunk(counts: Floats, mean: Floats, weight: float) -> Floats:
    """Return the rows of counts as probabilities, with `weight` pseudo-answers at the mean."""
    rows: Floats = (counts + weight * mean) / (counts.sum(-1, keepdims=True) + weight)
    return rows


def _crowd(counts: Floats, accuracy: float) -> Floats:
    """Return the crowd's confusion matrix (K, K), shrunk to equal errors."""
    k = len(counts)
    base = np.full((k, k), (1 - accuracy) / (k - 1))
    np.fill_diagonal(base, accuracy)
    return _shrunk(counts, base, CROWD_WEIGHT * k)


def _at_ability(crowd: Floats, ability: Floats, accuracy: float) -> Floats:
    """Return the crowd's matrix as annotators of the abilities (W,) would have it: (W, K, K).

    Diagonal: logit d_jk = logit m_kk + logit r_j - logit r. Errors: half the crowd's, half uniform.
    """
    k = len(crowd)
    shift = _logit(ability)[:, None] - _logit(np.asarray(accuracy))
    diagonal = expit(_logit(np.diag(crowd)) + shift)  # (W, K)
    errors = (crowd + SMOOTHING) * (1 - np.eye(k))
    errors = 0.5 * errors / errors.sum(1, keepdims=True) + 0.5 * (1 - np.eye(k)) / (k - 1)
    rows: Floats = (1 - diagonal)[:, :, None] * errors
    rows[:, np.arange(k), np.arange(k)] = diagonal
    return rows


def _concentration(counts: Floats, mean: Floats, start: float, steps: int = 3) -> float:
    """Take steps of Minka's fixed point for the concentration of a Dirichlet of known mean.

    counts: (n, K), each row a multinomial draw; mean: (n, K).
    """
    total = counts.sum(1)
    used = total > MIN_ANSWERS
    counts, mean, total = counts[used], mean[used], total[used]
    value = start
    for _ in range(steps):
        gain = (mean * (digamma(counts + value * mean) - digamma(value * mean))).sum()
        cost = (digamma(total + value) - digamma(value)).sum()
        value = float(np.clip(value * gain / max(cost, 1e-9), *CONCENTRATIONS))
    return value


def _logit(probability: Floats) -> Floats:
    logits: Floats = logit(np.clip(probability, 1e-4, 1 - 1e-4))
    return logits
