"""What annotators answer in each state: a hierarchy in which few answers mean an average annotator.

The concentrations of the priors are learned by the fixed point of T. P. Minka, "Estimating a
Dirichlet distribution" (2000).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import digamma, expit, logit  # type: ignore[import-untyped]

from labeling.aggregation.answers import Floats
from labeling.aggregation.states import States

EXPECTED_ACCURACY = 0.8  # of the crowd, before anything is known about it …
EXPECTED_WEIGHT = 10.0  # … worth so many answers
CROWD_WEIGHT = 4.0  # pseudo-answers per class for each row of the crowd's confusion matrix
CONCENTRATIONS = 0.5, 200.0  # bounds of what is learned about how alike annotators are
NOTHING = 0.01  # expected answers below which a row says nothing about how alike they are


@dataclass
class Hierarchy:
    """The concentrations learned so far, in pseudo-answers."""

    ability: float = 10.0  # of annotators around the crowd's accuracy
    row: float = 10.0  # of a confusion row around the one expected at that ability
    split: float = 10.0  # of a split state's row around the mixture of its two classes'

    accuracy: float = field(default=EXPECTED_ACCURACY, init=False)  # of the crowd

    def tables(self, counts: Floats, states: States) -> Floats:
        """Expected counts (W, S, K) by annotator, state and answer → probabilities, the same."""
        k = counts.shape[2]
        if k == 1:
            return np.ones_like(counts)
        table = np.empty_like(counts)
        table[:, :k] = self._rows(counts[:, :k])
        if len(states) > k:
            split = states.share[k:, None]
            mixed = (1 - split) * table[:, states.first[k:]] + split * table[:, states.second[k:]]
            flat, mean = counts[:, k:].reshape(-1, k), mixed.reshape(-1, k)
            self.split = _concentration(flat, mean, self.split, steps=1)
            table[:, k:] = _shrunk(counts[:, k:], mixed, self.split)
        return table

    def _rows(self, counts: Floats) -> Floats:
        """Confusion rows (W, K, K), shrunk to the crowd's, shifted by the annotator's ability."""
        k = counts.shape[2]
        right = np.einsum("jkk->j", counts)
        total = counts.sum((1, 2))
        hits = right.sum() + EXPECTED_WEIGHT * EXPECTED_ACCURACY
        self.accuracy = float(hits / (total.sum() + EXPECTED_WEIGHT))
        sides = np.stack([right, total - right], 1)
        chances = np.broadcast_to([self.accuracy, 1 - self.accuracy], sides.shape)
        self.ability = _concentration(sides, chances, self.ability)
        ability = (right + self.ability * self.accuracy) / (total + self.ability)
        expected = _shifted(_crowd(counts.sum(0), self.accuracy), ability, self.accuracy)
        self.row = _concentration(counts.reshape(-1, k), expected.reshape(-1, k), self.row)
        return _shrunk(counts, expected, self.row)


def _shrunk(counts: Floats, mean: Floats, weight: float) -> Floats:
    rows: Floats = (counts + weight * mean) / (counts.sum(-1, keepdims=True) + weight)
    return rows


def _crowd(counts: Floats, accuracy: float) -> Floats:
    """Everyone's confusion matrix (K, K), smoothed towards equal errors."""
    k = len(counts)
    base = np.full((k, k), (1 - accuracy) / (k - 1))
    np.fill_diagonal(base, accuracy)
    return _shrunk(counts, base, CROWD_WEIGHT * k)


def _shifted(crowd: Floats, ability: Floats, accuracy: float) -> Floats:
    """The crowd's matrix as an annotator of that ability would have it: (W, K, K).

    Diagonal: logit d_jk = logit m_kk + logit r_j - logit r. Errors: half the crowd's, half uniform.
    """
    k = len(crowd)
    shift = _logit(ability)[:, None] - _logit(np.asarray(accuracy))
    diagonal = expit(_logit(np.diag(crowd)) + shift)  # (W, K)
    errors = (crowd + 1e-9) * (1 - np.eye(k))
    errors = 0.5 * errors / errors.sum(1, keepdims=True) + 0.5 * (1 - np.eye(k)) / (k - 1)
    rows: Floats = (1 - diagonal)[:, :, None] * errors
    rows[:, np.arange(k), np.arange(k)] = diagonal
    return rows


def _concentration(counts: Floats, mean: Floats, start: float, steps: int = 3) -> float:
    """Steps of Minka's fixed point for a Dirichlet of known mean; rows are draws."""
    total = counts.sum(1)
    used = total > NOTHING
    counts, mean, total = counts[used], mean[used], total[used]
    value = start
    for _ in range(steps):
        gain = (mean * (digamma(counts + value * mean) - digamma(value * mean))).sum()
        cost = (digamma(total + value) - digamma(value)).sum()
        value = float(np.clip(value * gain / max(cost, 1e-9), *CONCENTRATIONS))
    return value


def _logit(chance: Floats) -> Floats:
    logits: Floats = logit(np.clip(chance, 1e-4, 1 - 1e-4))
    return logits
