"""Calibration of the posterior by gold: temperature scaling, a bias, and a rate of misled crowds.

Gold tells three things that no agreement between annotators can: how much sharper or flatter the
posterior should be, which classes the crowd takes for others (C. Guo et al., "On calibration of
modern neural networks", ICML 2017: temperature and bias), and how often the truth has nothing to
do with what the crowd sees. All are fitted to the posteriors of gold tasks from which their own
gold is left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation import levels
from labeling.aggregation.answers import Floats
from labeling.aggregation.design_effect import tempered
from labeling.aggregation.em import SPLIT_WEIGHT, Part, softmax
from labeling.aggregation.states import Block

Ints = npt.NDArray[np.intp]

TEMPERATURES = np.exp(np.linspace(np.log(0.15), np.log(2.5), 15))  # exponents of the posterior
SPREAD = 0.2  # standard deviation of the prior of the temperature's logarithm, around 0
BIAS_SPREAD = 1.0  # standard deviation of the prior of a class's bias, in log-odds, around 0
NEWTON_STEPS, ENOUGH = 20, 1e-6  # in the biases, at most; the last one's size
RATE, RATE_WEIGHT = 0.02, 100.0  # prior of the misled rate, and its weight in tasks
CLASS_WEIGHT = 0.5  # of the prior of what is true where the crowd is misled, in tasks
STEPS = 50  # of EM in the misled rate
NEGLIGIBLE = 1e-4  # weight below which a temperature is left out
CELLS = 4 * 10**6  # answers times states processed together


@dataclass(frozen=True)
class GoldCalibration:
    """A mixture over temperatures."""

    components: tuple["Component", ...]  # none where there is nothing to calibrate by

    def apply(self, posterior: Floats) -> Floats:
        """Return the posterior (n, K), calibrated."""
        if not self.components:
            return posterior
        logs = np.log(posterior.clip(1e-12))
        calibrated = np.zeros_like(posterior)
        for each in self.components:
            seen = softmax(each.temperature * logs + each.bias)
            calibrated += each.weight * ((1 - each.rate) * seen + each.rate * each.classes)
        return calibrated


@dataclass(frozen=True)
class Component:
    """A temperature, and what goes with it."""

    weight: float
    temperature: float
    bias: Floats  # (K,) added to the log-posterior
    rate: float  # of misled crowds
    classes: Floats  # (K,) what is then true


IDENTITY = GoldCalibration(())


def fit(
    leave_one_out: Floats, gold: Ints, votes: Floats, *, biased: bool = True
) -> GoldCalibration:
    """Return the calibration for leave-one-out posteriors (G, K) of tasks with gold (G,).

    votes: (K,) of all tasks. For each temperature the biases are found by Newton's method and the
    misled rate by EM; temperatures are averaged in proportion to the posterior probability of each.
    biased: whether classes have biases. They must not where gold tasks are of other classes than
    the others, as the bias would say how gold was chosen.
    """
    if not len(gold) or leave_one_out.shape[1] == 1:
        return IDENTITY
    usual = (votes / votes.sum() + 1 / len(votes)) / 2
    rows = np.arange(len(gold))
    logs = np.log(leave_one_out.clip(1e-12))
    scores, components = [], []
    bias = np.zeros(len(usual))
    for temperature in TEMPERATURES.tolist():
        if biased:
            bias = _fit_bias(temperature * logs, gold, bias)
        seen = softmax(temperature * logs + bias)[rows, gold]
        rate, classes = _fit_misled(seen, gold, usual)
        score = np.log((1 - rate) * seen + rate * classes[gold]).sum()
        score -= (np.log(temperature) / SPREAD) ** 2 / 2
        score -= ((bias / BIAS_SPREAD) ** 2).sum() / 2
        score += RATE_WEIGHT * (RATE * np.log(rate) + (1 - RATE) * np.log(1 - rate))
        score += CLASS_WEIGHT * (usual * np.log(classes)).sum()
        scores.append(score)
        components.append(Component(0.0, temperature, bias, rate, classes))
    weights = softmax(np.array([scores]))[0]
    weights = np.where(weights > NEGLIGIBLE, weights, 0)
    weights /= weights.sum()
    return GoldCalibration(
        tuple(
            replace(each, weight=w)
            for w, each in zip(weights.tolist(), components, strict=True)
            if w
        )
    )


def _fit_bias(logs: Floats, gold: Ints, start: Floats) -> Floats:
    """Return the likeliest biases (K,) of log-posteriors (G, K), under their prior."""
    k = logs.shape[1]
    counts, precision = np.bincount(gold, minlength=k), 1 / BIAS_SPREAD**2
    bias = start
    for _ in range(NEWTON_STEPS):
        expected = softmax(logs + bias)
        gradient = counts - expected.sum(0) - precision * bias
        curvature = np.diag(expected.sum(0) + precision) - expected.T @ expected
        step = np.linalg.solve(curvature, gradient)
        bias = bias + step
        if np.abs(step).max() < ENOUGH:
            break
    return bias


def log_score(posterior: Floats, gold: Ints) -> tuple[float, float]:
    """Return the log-likelihood of gold (G,) under posteriors (G, K), and how odd that is.

    How odd: in standard deviations below what is expected where the posteriors are calibrated.
    """
    logs = np.log(posterior.clip(1e-12))
    found = float(logs[np.arange(len(gold)), gold].sum())
    expected = (posterior * logs).sum(1)
    variance = float(((posterior * logs**2).sum(1) - expected**2).clip(0).sum())
    return found, (float(expected.sum()) - found) / np.sqrt(variance + 1)


def _fit_misled(seen: Floats, gold: Ints, usual: Floats) -> tuple[float, Floats]:
    """Return how often the crowd is misled, and (K,) what is true then.

    seen: (G,) the posterior of the true class. usual: (K,) the prior of what is true then.
    """
    rate, classes = RATE, usual
    for _ in range(STEPS):
        misled = rate * classes[gold]
        blame = misled / ((1 - rate) * seen + misled)
        rate = float((blame.sum() + RATE * RATE_WEIGHT) / (len(gold) + RATE_WEIGHT))
        counts = np.bincount(gold, blame, len(usual)) + CLASS_WEIGHT * usual
        classes = counts / counts.sum()
    return rate, classes


def leave_one_out(
    part: Part, block: Block, likelihood: Callable[[Block], Floats], correlation: float
) -> tuple[Ints, Floats]:
    """Return the block's gold tasks (G,), and their posteriors (G, K) as if gold were unknown.

    likelihood: that of the part, of `Part.likelihoods`.

    Each task's own share in its annotators' tables, and in what split states mean, is taken out.
    """
    crowd = part.crowd
    (rows,) = np.nonzero(part.known.gold[block.tasks] >= 0)
    posteriors = [np.zeros((0, crowd.shape[1]))]
    for some in _some(block, rows):
        k = crowd.shape[1]
        gold = part.known.gold[some.tasks]
        posterior = part.posterior(some, likelihood(some))  # (n, s)
        counts = np.repeat(crowd.gold_counts[some.columns][None], len(gold), 0)  # (n, s, K)
        counts[np.arange(len(gold)), :, gold] -= posterior
        truth = SPLIT_WEIGHT * crowd.states.truth[some.columns] + counts.clip(0)
        truth /= truth.sum(2, keepdims=True)
        truth[:, :k] = np.eye(k)
        without_own = _likelihood_without_own(part, some, posterior)
        posteriors.append(tempered(part, some, without_own, correlation, truth)[0])
    return block.tasks[rows], np.concatenate(posteriors)


def without_gold(
    part: Part, block: Block, rows: Ints, likelihood: Callable[[Block], Floats], correlation: float
) -> Floats:
    """Return (n, K) the posteriors of those rows of the block: tasks whose gold is not known.

    likelihood: that of the part, of `Part.likelihoods`.
    """
    posteriors = [np.zeros((0, part.crowd.shape[1]))]
    for some in _some(block, rows):
        posteriors.append(tempered(part, some, likelihood(some), correlation)[0])
    return np.concatenate(posteriors)


def _some(block: Block, rows: Ints) -> Iterator[Block]:
    """Yield those rows of the block, a few at a time: each answer takes a row of states."""
    if not len(rows):
        return
    count = block.answers[rows].nnz
    for some in np.array_split(rows, 1 + count * len(block.columns) // CELLS):
        closed = None if block.closed is None else block.closed[some]
        starts, ends = block.answers.indptr[some], block.answers.indptr[some + 1]
        places = np.concatenate([np.arange(*each) for each in zip(starts, ends, strict=True)])
        yield replace(
            block,
            tasks=block.tasks[some],
            worker=block.worker[places],
            label=block.label[places],
            answers=block.answers[some],
            closed=closed,
        )


def _likelihood_without_own(part: Part, block: Block, posterior: Floats) -> Floats:
    """Return (n, s) log-likelihoods by tables from which each task's own answers are taken out."""
    crowd = part.crowd
    table, label = np.divmod(block.answers.indices, crowd.shape[1])  # of each answer
    row = np.repeat(np.arange(len(block.tasks)), np.diff(block.answers.indptr))
    weight = block.answers.data[:, None]
    own = weight * posterior[row]
    shared = table >= crowd.places.own
    if shared.any():  # at the level next to their ability without this answer
        table = np.where(shared, _levels_without_own(part, block, posterior), table)
        own[shared] = 0
    total = crowd.row_weight[table][:, block.columns]
    total[shared] = 1
    hits = crowd.table[table, :, label][:, block.columns] * total - own
    chances = weight * np.log((hits / (total - own)).clip(1e-9))
    places = row, np.arange(len(row))
    sums = csr_array((np.ones(len(row)), places), shape=(len(posterior), len(row)))
    likelihood: Floats = sums @ chances
    return likelihood


def _levels_without_own(part: Part, block: Block, posterior: Floats) -> Ints:
    """Return for each answer the table of the level at which its annotator is without it."""
    crowd, worker = part.crowd, part.annotators_of(block)
    right, total = part.chances(block, posterior)
    left = (crowd.right[worker] - right).clip(0), (crowd.total[worker] - total).clip(0)
    return crowd.places.own + levels.level(crowd.hierarchy.abilities(*left))
