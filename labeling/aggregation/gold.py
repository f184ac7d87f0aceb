"""What gold tells about the others: the posterior fitted to known truths, and gold unseen.

A handful of gold answers fits two things: how much sharper or flatter the posterior should be, and
how often what the crowd sees is not what is true, whatever it sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation.answers import Floats
from labeling.aggregation.design_effect import tempered
from labeling.aggregation.em import MEANING, Crowd, softmax
from labeling.aggregation.states import Block

TEMPERATURES = np.exp(np.linspace(np.log(0.15), np.log(2.5), 15))
SPREAD = 0.2  # of the prior of the temperature's logarithm, around 0
RATE, RATE_WEIGHT = 0.02, 100.0  # the prior of how often crowds mislead, worth so many tasks
STEPS = 50
CELLS = 4 * 10**6  # answers times states held at a time


@dataclass(frozen=True)
class Fit:
    """A mixture over temperatures: weight, temperature, rate and (K,) what is then true."""

    parts: list[tuple[float, float, float, Floats]]

    def apply(self, posterior: Floats) -> Floats:
        """The posterior (n, K) as gold would have it."""
        logs = np.log(posterior.clip(1e-12))
        fitted = np.zeros_like(posterior)
        for weight, temperature, rate, instead in self.parts:
            fitted += weight * ((1 - rate) * softmax(temperature * logs) + rate * instead)
        return fitted


UNFITTED = Fit([(1.0, 1.0, 0.0, np.zeros(1))])


def fit(blind: Floats, gold: npt.NDArray[np.intp], votes: Floats) -> Fit:
    """Learn from blind posteriors (G, K) of gold tasks and their classes (G,).

    votes: (K,) of the crowd as a whole. The rate and its classes by EM for each temperature,
    temperatures averaged by how likely they make the gold.
    """
    if not len(gold) or blind.shape[1] == 1:
        return UNFITTED
    usual = (votes / votes.sum() + 1 / len(votes)) / 2
    rows = np.arange(len(gold))
    logs = np.log(blind.clip(1e-12))
    scores, parts = [], []
    for temperature in TEMPERATURES.tolist():
        seen = softmax(temperature * logs)[rows, gold]
        rate, instead = _misled(seen, gold, usual)
        likely = np.log((1 - rate) * seen + rate * instead[gold]).sum()
        likely -= (np.log(temperature) / SPREAD) ** 2 / 2
        likely += RATE_WEIGHT * (RATE * np.log(rate) + (1 - RATE) * np.log(1 - rate))
        likely += 0.5 * (usual * np.log(instead)).sum()
        scores.append(likely)
        parts.append((temperature, rate, instead))
    weights = softmax(np.array([scores]))[0]
    weights = np.where(weights > 1e-4, weights, 0)
    weights /= weights.sum()
    return Fit([(w, *part) for w, part in zip(weights.tolist(), parts, strict=True) if w])


def _misled(seen: Floats, gold: npt.NDArray[np.intp], usual: Floats) -> tuple[float, Floats]:
    """How often the truth has nothing to do with what is seen, and what it is then."""
    rate, instead = RATE, usual
    for _ in range(STEPS):
        other = rate * instead[gold]
        blame = other / ((1 - rate) * seen + other)
        rate = float((blame.sum() + RATE * RATE_WEIGHT) / (len(gold) + RATE_WEIGHT))
        counts = np.bincount(gold, blame, len(usual)) + 0.5 * usual
        instead = counts / counts.sum()
    return rate, instead


def blind(crowd: Crowd, block: Block, correlation: float) -> tuple[npt.NDArray[np.intp], Floats]:
    """The block's gold tasks (G,), and their posteriors (G, K) as if their gold were unknown.

    Each task's own share in its annotators' tables, and in what split states mean, is taken out.
    """
    (rows,) = np.nonzero(crowd.known.gold[block.tasks] >= 0)
    log_table = crowd.log_table()
    found = [np.zeros((0, crowd.shape[1]))]
    for part in _parts(block, rows):
        k = crowd.shape[1]
        gold = crowd.known.gold[part.tasks]
        belief = crowd.belief(part, crowd.log_likelihood(part, log_table))  # (n, s)
        taught = np.repeat(crowd.taught[part.columns][None], len(gold), 0)  # (n, s, K)
        taught[np.arange(len(gold)), :, gold] -= belief
        truth = MEANING * crowd.states.truth[part.columns] + taught.clip(0)
        truth /= truth.sum(2, keepdims=True)
        truth[:, :k] = np.eye(k)
        likelihood = _without_own(crowd, part, belief)
        found.append(tempered(crowd, part, likelihood, correlation, truth)[0])
    return block.tasks[rows], np.concatenate(found)


def _parts(block: Block, rows: npt.NDArray[np.intp]) -> Iterator[Block]:
    """Those rows of the block, a few at a time: an answer takes a row of states."""
    if not len(rows):
        return
    answers = len(rows) * block.said[rows].nnz / len(rows)
    for some in np.array_split(rows, 1 + int(answers * len(block.columns) // CELLS)):
        shut = None if block.shut is None else block.shut[some]
        yield Block(block.tasks[some], block.said[some], block.columns, shut)


def _without_own(crowd: Crowd, block: Block, belief: Floats) -> Floats:
    """(n, s) log-likelihoods by tables from which each task's own answers are taken out."""
    worker, label = np.divmod(block.said.indices, crowd.shape[1])  # of each answer
    row = np.repeat(np.arange(len(block.tasks)), np.diff(block.said.indptr))
    own = belief[row]
    mass = crowd.mass[worker][:, block.columns]
    hits = crowd.table[worker, :, label][:, block.columns] * mass - own
    chances = np.log((hits / (mass - own)).clip(1e-9))
    places = row, np.arange(len(row))
    sums = csr_array((np.ones(len(row)), places), shape=(len(belief), len(row)))
    likelihood: Floats = sums @ chances
    return likelihood
