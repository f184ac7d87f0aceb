"""Expectation and maximisation in one pass over blocks of tasks, so that memory stays flat.

A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM
algorithm", Applied Statistics 28 (1979).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Answers, Floats
from labeling.aggregation.confusion import Hierarchy
from labeling.aggregation.model_weight import DEFAULT_WEIGHT, MAX_WEIGHT, PRIOR_PRECISION
from labeling.aggregation.states import Block, blocks, states

VOTE_SHARE = 0.5  # weight of the plain votes beside the learned class prior, which alone can drift
PEOPLE_FIRST = 4  # iterations before a model is heard, lest it says whom to believe
BLANK = 0.25  # of a vote, cast as the prior says, where everything starts
MEANING = 1.0  # pseudo-tasks that hold a split state to the truth that its name says
EDGE = 1e-6  # a model's opinion is kept so far from 0 and 1


@dataclass(frozen=True)
class Known:
    """What is known besides the answers."""

    gold: npt.NDArray[np.intp]  # (T,) the class, or -1
    prior: Floats | None  # (T, K), NaN where nothing is said of the task
    model_probabilities: Floats | None  # (T, K), NaN where the model says nothing


class Crowd:
    """The model: `table` says what annotators answer, `weight` how frequent each state is."""

    def __init__(self, answers: Answers, votes: Floats, known: Known) -> None:
        self.votes, self.known = votes, known
        self.sizes = votes.sum(1)  # (T,) answers a task
        self.states = states(votes, len(answers.workers))
        self.blocks = blocks(answers, votes, self.states)
        self.shape = len(answers.workers), votes.shape[1]
        self.hierarchy = Hierarchy()
        self.given = _by_annotator(answers)  # (W, K) how often each answered what
        self.truth = self.states.truth.copy()  # (S, K): what gold taught of the splits included
        self.model_weight = 0.0  # the factor of the model's log-odds
        self.rounds = 0
        self.taught = np.zeros_like(self.truth)  # gold tasks by state and class
        self.model_log_ratio = _against_base_rate(known.model_probabilities)
        self.mass = np.zeros(0)  # (W, S) answers, expected and pseudo, behind each row of the table
        counts, share = self._votes_as_beliefs()
        self.weight = self._weights(share)
        self.table = self._tables(counts)

    def iterate(self) -> None:
        """The truth as the tables see it; then the tables anew as the truth has it."""
        counts = self._no_counts()
        share = np.zeros(len(self.states))
        taught = np.zeros_like(self.truth)
        slope = curve = 0.0
        log_table = self.log_table()
        for block in self.blocks:
            likelihood = self.log_likelihood(block, log_table)
            belief = self.belief(block, likelihood)
            self._count(counts, block, belief)
            share[block.columns] += belief.sum(0)
            self._teach(taught, block, belief)
            if self.model_log_ratio is not None:
                steep, bent = self._trust_step(block, belief)
                slope, curve = slope + steep, curve + bent
        self.weight, self.taught = self._weights(share), taught
        k = self.shape[1]
        split = MEANING * self.states.truth[k:] + taught[k:]
        self.truth[k:] = split / split.sum(1, keepdims=True)
        self.rounds += 1
        if self.model_log_ratio is not None and self.rounds >= PEOPLE_FIRST:
            slope += 2 * PRIOR_PRECISION * (DEFAULT_WEIGHT - self.model_weight)
            self.model_weight = float(
                np.clip(self.model_weight + slope / (curve + 2 * PRIOR_PRECISION), 0, MAX_WEIGHT)
            )
        self.table = self._tables(counts)

    def log_table(self) -> Floats:
        """(W · K, S): what each answer says of each state."""
        workers, k = self.shape
        kind = self.blocks[0].said.dtype
        flat = np.log(self.table).transpose(0, 2, 1).reshape(workers * k, -1)
        return flat.astype(kind, copy=False)

    def log_likelihood(self, block: Block, log_table: Floats) -> Floats:
        """(n, s) of all answers to each task of the block."""
        full = len(block.columns) == log_table.shape[1]
        likelihood: Floats = block.said @ (log_table if full else log_table[:, block.columns])
        return likelihood

    def log_prior(self, block: Block) -> Floats:
        """(n, s) or (1, s), not normalised."""
        columns, tasks = block.columns, block.tasks
        prior: Floats = np.log(self.weight[columns])[None]
        given = None if self.known.prior is None else self.known.prior[tasks]
        if given is not None:
            share = self.weight @ self.states.truth  # (K,)
            ratio = np.where(np.isnan(given), 1, given / share)
            with np.errstate(divide="ignore"):
                prior = prior + np.log(ratio @ self.states.truth[columns].T)
        if self.model_log_ratio is not None and self.model_weight:
            ratio = np.exp(self.model_weight * self.model_log_ratio[tasks])
            prior = prior + np.log(ratio @ self.states.truth[columns].T)
        if block.shut is not None:
            prior = np.where(block.shut, -np.inf, prior)
        return prior.astype(block.said.dtype, copy=False)

    def belief(self, block: Block, likelihood: Floats) -> Floats:
        """(n, s) probabilities of the states, gold counted in."""
        scores = self.log_prior(block) + likelihood
        gold = self.known.gold[block.tasks]
        (rows,) = np.nonzero(gold >= 0)
        if len(rows):
            scores = np.broadcast_to(scores, likelihood.shape).copy()
            with np.errstate(divide="ignore"):
                scores[rows] += np.log(self.truth[block.columns][:, gold[rows]].T)
            # where a prior of zero contradicts gold, gold is right
            lost = rows[np.isneginf(scores[rows]).all(1)]
            scores[lost, gold[lost]] = 0
        return softmax(scores)

    def _no_counts(self) -> Floats:
        """(S, W · K)"""
        workers, k = self.shape
        return np.zeros((len(self.states), workers * k))

    def _count(self, counts: Floats, block: Block, belief: Floats) -> None:
        said = block.said.T @ belief.astype(block.said.dtype, copy=False)  # (W · K, s)
        counts[block.columns] += said.T

    def _tables(self, counts: Floats) -> Floats:
        workers, k = self.shape
        by_annotator = counts.reshape(-1, workers, k).transpose(1, 0, 2)  # (W, S, K)
        by_annotator = np.ascontiguousarray(by_annotator)
        table = self.hierarchy.tables(by_annotator, self.states)
        self.mass = by_annotator.sum(2)
        self.mass[:, :k] += self.hierarchy.row
        self.mass[:, k:] += self.hierarchy.split
        return table

    def _votes_as_beliefs(self) -> tuple[Floats, Floats]:
        """The first counts and shares of the states: each task's truth is its show of hands."""
        counts, share, k = self._no_counts(), np.zeros(len(self.states)), self.shape[1]
        for block in self.blocks:
            prior = None if self.known.prior is None else self.known.prior[block.tasks]
            start = 1 / k if prior is None else np.where(np.isnan(prior), 1 / k, prior)
            belief = np.zeros((len(block.tasks), len(block.columns)))
            belief[:, :k] = show_of_hands(self.votes[block.tasks] / BLANK, start)
            gold = self.known.gold[block.tasks]
            (rows,) = np.nonzero(gold >= 0)
            belief[rows] = 0
            belief[rows, gold[rows]] = 1
            self._count(counts, block, belief)
            share[block.columns] += belief.sum(0)
        return counts, share

    def _weights(self, share: Floats) -> Floats:
        """Expected tasks a state, one more each, and half the votes for the classes: as shares."""
        k = self.shape[1]
        votes = self.votes.sum(0) / self.sizes.sum()
        share = share + 1
        share[:k] += VOTE_SHARE * len(self.votes) * votes
        weights: Floats = share / share.sum()
        return weights

    def _teach(self, taught: Floats, block: Block, belief: Floats) -> None:
        gold = self.known.gold[block.tasks]
        for each in np.unique(gold[gold >= 0]):
            taught[block.columns, each] += belief[gold == each].sum(0)

    def _trust_step(self, block: Block, belief: Floats) -> tuple[float, float]:
        """Slope and curvature of how likely the model's opinions make what is believed."""
        assert self.model_log_ratio is not None
        opinion = self.model_log_ratio[block.tasks]  # (n, K)
        classes = belief @ self.truth[block.columns]  # (n, K)
        share = self.weight @ self.states.truth  # (K,)
        given = None if self.known.prior is None else self.known.prior[block.tasks]
        base = share if given is None else np.where(np.isnan(given), share, given)
        told = softmax(np.log(base.clip(EDGE)) + self.model_weight * opinion)
        mean = (told * opinion).sum(1)
        slope = ((classes - told) * opinion).sum()
        curve = (told * opinion**2).sum() - (mean**2).sum()
        return float(slope), float(curve)


def softmax(scores: Floats) -> Floats:
    """Rows of exp(scores), each divided by its sum."""
    powers: Floats = scores - scores.max(1, keepdims=True)
    np.exp(powers, out=powers)
    powers /= (powers @ np.ones(powers.shape[1], powers.dtype))[:, None]  # quicker than a sum
    return powers


def show_of_hands(votes: Floats, prior: Floats | float) -> Floats:
    """Shares of the votes, with one more vote that is cast as the prior says."""
    shares: Floats = (votes + prior) / (votes.sum(1, keepdims=True) + 1)
    return shares


def _by_annotator(answers: Answers) -> Floats:
    shape = len(answers.workers), len(answers.classes)
    cells = answers.worker.astype(np.int64) * shape[1] + answers.label
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def _against_base_rate(model_probabilities: Floats | None) -> Floats | None:
    """log p - log of its mean over tasks; 0 where the model says nothing."""
    if model_probabilities is None or np.isnan(model_probabilities).all():
        return None
    sure = model_probabilities.clip(EDGE, 1)
    against: Floats = np.log(sure) - np.log(np.nanmean(sure, 0))
    return np.where(np.isnan(against), 0.0, against)
