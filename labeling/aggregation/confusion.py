"""Confusion matrices under a hierarchical prior: few answers mean an average annotator.

Annotators are of a few kinds, each with a prototype of a confusion matrix (J. Chen et al.,
"Understanding the essence: delving into annotator prototype learning for multi-class annotation
aggregation", 2025). A row of an annotator's matrix is a Dirichlet draw around the mean of the
prototypes' rows, each weighted by how probable that kind is of this annotator. Those who share
tables, and all as far as tasks have one answer, have instead the crowd's matrix as it would be at
their ability; abilities are Beta draws around the crowd's accuracy. The concentrations are learned
by the fixed point of T. P. Minka, "Estimating a Dirichlet distribution" (2000). M tables, each of
an annotator or of a level of ability (`levels`), P prototypes, K classes, S states (the classes
first).
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, expit, logit  # type: ignore[import-untyped]

from labeling.aggregation.answers import Floats
from labeling.aggregation.levels import ABILITIES
from labeling.aggregation.states import States

PRIOR_ACCURACY = 0.8  # of the crowd
PRIOR_WEIGHT = 10.0  # of that accuracy, in answers
CROWD_WEIGHT = 4.0  # pseudo-answers per class for each row of the crowd's confusion matrix
CONCENTRATIONS = 0.5, 200.0  # bounds of the learned concentrations
MIN_ANSWERS = 0.01  # expected answers below which a row says nothing about a concentration
MANY = 10**5  # annotators, of whom those are counted together who are much alike
SAMPLE = 3_000  # rows or few more, evenly, from which a concentration is learned
APART = 1.5, -1.5  # log-odds of the prototypes' first abilities, from the crowd's accuracy
STEPS = 2  # of EM in the prototypes, each time
SMOOTHING = 1e-9  # of the crowd's errors, where it made none


@dataclass(frozen=True)
class Shared:
    """What those who share tables are expected to have answered."""

    right: Floats  # (n,) answers to tasks of one class
    total: Floats  # (n,)


def _as_many_of_each() -> Floats:
    return np.full(len(APART), 1 / len(APART))


@dataclass
class Hierarchy:
    """The concentrations learned so far, in pseudo-answers."""

    compared: float = 1.0  # share of answers to tasks that somebody else answered, too
    ability: float = 10.0  # of annotators around the crowd's accuracy
    row: float = 10.0  # of a confusion row around the one expected at that ability
    split: float = 10.0  # of a split state's row around the mixture of its two classes'

    accuracy: float = field(default=PRIOR_ACCURACY, init=False)  # of the crowd
    prototypes: Floats | None = field(default=None, init=False)  # (P, K, K)
    kinds: Floats = field(default_factory=_as_many_of_each, init=False)  # (P,) shares of annotators
    order: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp), init=False)

    def tables(self, counts: Floats, states: States, shared: Shared | None = None) -> Floats:
        """Return answer probabilities (M, S, K) for expected counts (M, S, K), and learn.

        shared: what is known of annotators who share the last tables, those of the levels.
        """
        k = counts.shape[2]
        if k == 1:
            return np.ones_like(counts)
        table = np.empty_like(counts)
        own = len(counts) if shared is None else len(counts) - len(ABILITIES)
        if not len(self.order):
            self.order = _ranked(counts[:own].sum(1))
        table[:, :k] = self._rows(counts[:, :k], own, shared)
        if len(states) > k:
            share = states.share[k:, None]
            mixed = (1 - share) * table[:, states.first[k:]] + share * table[:, states.second[k:]]
            sample = self._sampled(counts[:own, k:]), self._sampled(mixed[:own])
            self.split = _concentration(*sample, self.split, steps=1)
            table[:own, k:] = _shrunk(counts[:own, k:], mixed[:own], self.split)
            table[own:, k:] = mixed[own:]
        return table

    def _sampled(self, tables: Floats) -> Floats:
        """Return the rows (n, K) of evenly spaced tables (M, rows, K), all of a table or none."""
        step = max(1, -(-len(tables) * tables.shape[1] // SAMPLE))
        chosen = tables if step == 1 else tables[self.order[::step]]
        rows: Floats = chosen.reshape(-1, tables.shape[2])
        return rows

    def abilities(self, right: Floats, total: Floats) -> Floats:
        """Return the abilities of annotators with so many right answers of all."""
        shrunk: Floats = (right + self.ability * self.accuracy) / (total + self.ability)
        return shrunk

    def _rows(self, counts: Floats, own: int, shared: Shared | None) -> Floats:
        """Return confusion matrices (M, K, K), shrunk to the crowd's at each one's ability."""
        right = np.einsum("jkk->j", counts)
        total = counts.sum((1, 2))
        hits = right.sum() + PRIOR_WEIGHT * PRIOR_ACCURACY
        self.accuracy = float(hits / (total.sum() + PRIOR_WEIGHT))
        sides = np.stack([right, total - right], 1)[:own]
        if shared is not None:
            sides = np.concatenate(
                [sides, np.stack([shared.right, shared.total - shared.right], 1)]
            )
        distinct, times = _distinct(sides)
        mean = np.broadcast_to([self.accuracy, 1 - self.accuracy], distinct.shape)
        self.ability = _concentration(distinct, mean, self.ability, times=times)
        crowd = _crowd(counts.sum(0), self.accuracy)
        expected = np.empty_like(counts)
        expected[own:] = _at_ability(crowd, ABILITIES, self.accuracy)[: len(counts) - own]
        expected[:own] = self.compared * self._by_prototypes(counts[:own], crowd)
        if self.compared < 1:  # nothing but agreement tells which prototype is whose
            ability = self.abilities(right[:own], total[:own])
            by_ability = _at_ability(crowd, ability, self.accuracy)
            expected[:own] += (1 - self.compared) * by_ability
        sample = self._sampled(counts[:own]), self._sampled(expected[:own])
        self.row = _concentration(*sample, self.row)
        expected[:own] = _shrunk(counts[:own], expected[:own], self.row)
        return expected

    def _by_prototypes(self, counts: Floats, crowd: Floats) -> Floats:
        """Learn the prototypes; return the matrices (M, K, K) that they let expect of annotators.

        counts: (M, K, K) expected answers.
        """
        answers = counts.reshape(len(counts), crowd.size)  # (M, K · K)
        first = _at_ability(crowd, expit(_logit(self.accuracy) + APART), self.accuracy)
        prototypes = first if self.prototypes is None else self.prototypes
        for _ in range(STEPS):
            scores = answers @ np.log(prototypes).reshape(-1, crowd.size).T + np.log(self.kinds)
            kind = np.exp(scores - scores.max(1, keepdims=True))  # (M, P)
            kind /= kind.sum(1, keepdims=True)
            self.kinds = (kind.sum(0) + 1) / (len(kind) + len(first))
            sums = (kind.T @ answers).reshape(first.shape)
            prototypes = _shrunk(sums, first, CROWD_WEIGHT * len(crowd))
        self.prototypes = prototypes
        expected: Floats = (kind @ prototypes.reshape(-1, crowd.size)).reshape(counts.shape)
        return expected


def _shrunk(counts: Floats, mean: Floats, weight: float) -> Floats:
    """Return the rows of counts as probabilities, with `weight` pseudo-answers at the mean."""
    sums = counts @ np.ones(counts.shape[-1])  # quicker than sum
    rows: Floats = (counts + weight * mean) / (sums[..., None] + weight)
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
    shift = _logit(ability)[:, None] - _logit(accuracy)
    diagonal = expit(_logit(np.diag(crowd)) + shift)  # (W, K)
    errors = (crowd + SMOOTHING) * (1 - np.eye(k))
    errors = 0.5 * errors / errors.sum(1, keepdims=True) + 0.5 * (1 - np.eye(k)) / (k - 1)
    rows: Floats = (1 - diagonal)[:, :, None] * errors
    rows[:, np.arange(k), np.arange(k)] = diagonal
    return rows


def _concentration(
    counts: Floats, mean: Floats, start: float, steps: int = 3, times: Floats | None = None
) -> float:
    """Take steps of Minka's fixed point for the concentration of a Dirichlet of known mean.

    counts: (n, K), each row a multinomial draw; mean: (n, K); times: (n,) how often each is there.
    """
    total = counts @ np.ones(counts.shape[1])
    used = total > MIN_ANSWERS
    counts, mean, total = counts[used], mean[used], total[used]
    weight = np.ones(len(total)) if times is None else times[used]
    value = start
    for _ in range(steps):
        gain = weight @ (mean * (digamma(counts + value * mean) - digamma(value * mean)))
        cost = weight @ (digamma(total + value) - digamma(value))
        value = float(np.clip(value * gain.sum() / max(cost, 1e-9), *CONCENTRATIONS))
    return value


def _distinct(sides: Floats) -> tuple[Floats, Floats]:
    """Return the different rows of sides (W, 2), and how often each is there.

    Where there are more than MANY, rows are alike that are the same to a quarter of an answer.
    """
    if len(sides) <= MANY:
        return sides, np.ones(len(sides))
    quarters = np.round(4 * sides).astype(np.int64)
    size = int(quarters[:, 1].max()) + 1
    keys, counts = np.unique(quarters[:, 0] * size + quarters[:, 1], return_counts=True)
    return np.stack(np.divmod(keys, size), 1) / 4, counts.astype(np.float64)


def _ranked(given: Floats) -> npt.NDArray[np.intp]:
    """Return the order of annotators (W,) by how many answers and labels they gave, not by name.

    given: (W, K) answers by label.
    """
    profile = -np.sort(-np.round(given), 1)
    return np.lexsort((*profile.T, profile.sum(1)))


def _logit(probability: Floats | float) -> Floats:
    logits: Floats = logit(np.clip(probability, 1e-4, 1 - 1e-4))
    return logits
