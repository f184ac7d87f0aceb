"""Expectation maximisation of Dawid and Skene's model in one pass over blocks of tasks.

A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM
algorithm", Applied Statistics 28 (1979). Blocks keep memory flat. T tasks, W annotators, M tables
of answers (an annotator's own, or of a level that some share: `levels`), K classes and S states
(classes and splits, `states`); a block has n tasks, to which s states are open.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.aggregation import levels
from labeling.aggregation.answers import Answers, Floats
from labeling.aggregation.confusion import Hierarchy, Shared
from labeling.aggregation.model_weight import DEFAULT_WEIGHT, MAX_WEIGHT, PRIOR_PRECISION
from labeling.aggregation.states import Block, blocks, states

VOTE_SHARE = 0.5  # weight of the plain votes beside the learned class prior, which alone can drift
EVENNESS = 6  # power of the votes' evenness in the share of the class prior that is uniform
PEOPLE_FIRST = 4  # iterations without the model, lest it decides which people are believed
PRIOR_VOTES = 0.25  # votes cast as the prior says, in the first guess of each task's truth
SPLIT_WEIGHT = 1.0  # pseudo-tasks that hold a split state's truth to its nominal one
EDGE = 1e-6  # distance that a model's probabilities keep from 0


@dataclass(frozen=True)
class Known:
    """What is known of T tasks besides their answers."""

    gold: npt.NDArray[np.intp]  # (T,) the class, or -1
    prior: Floats | None  # (T, K), NaN where there is none
    model_probabilities: Floats | None  # (T, K), NaN where there are none


class Crowd:
    """Answers and the parameters that explain them: answer tables and frequencies of the states."""

    def __init__(
        self, answers: Answers, votes: Floats, known: Known, *, by_gold: bool = False
    ) -> None:
        """by_gold: whether the first tables come from the tasks with gold alone."""
        self.votes, self.known = votes, known
        self.sizes = votes.sum(1)  # (T,) answers per task, by their weight
        self.uniform_share = _uniform_share(votes.sum(0))  # of the class prior
        self.answers = answers
        self.places = levels.places(answers, votes.shape[1])
        self.shape = self.places.tables, votes.shape[1]  # M, K
        self.states = states(votes, self.shape[0])
        self.blocks = blocks(answers, votes, self.states, self.places)
        self.hierarchy = Hierarchy()
        self.given = self._labels_by_table()  # (M, K)
        self.right: Floats = np.zeros(0)  # (W,) expected right answers, if any share tables
        self.total: Floats = np.zeros(0)  # (W,) and all of theirs
        self._chances = np.zeros((2, len(answers.task) if self.places.shared.any() else 0))
        self.truth = self.states.truth.copy()  # (S, K); gold teaches what splits mean
        self.model_weight = 0.0  # factor of the model's log-odds
        self.model_log_ratio = _log_ratio(known.model_probabilities)  # (T, K)
        self.iterations = 0
        self.gold_counts = np.zeros_like(self.truth)  # expected gold tasks by state and class
        self.row_weight = np.zeros(0)  # (M, S) answers and pseudo-answers behind each table row
        counts, share = self._initial_counts(by_gold=by_gold)
        self.weight = self._state_weights(share)  # (S,) prior of the states
        self.table = self._tables(counts)  # (M, S, K) probability of each answer in each state

    def iterate(self) -> None:
        """Take one EM iteration: states of the tasks by the tables, then tables by the states."""
        counts = self._no_counts()
        share = np.zeros(len(self.states))
        gold_counts = np.zeros_like(self.truth)
        gradient = curvature = 0.0
        log_table = self.log_table()
        for block in self.blocks:
            posterior = self.posterior(block, self.log_likelihood(block, log_table))
            self._add_answers(counts, block, posterior)
            share[block.columns] += posterior.sum(0)
            self._add_gold(gold_counts, block, posterior)
            if self.model_log_ratio is not None:
                slope, bend = self._model_gradient(block, posterior)
                gradient, curvature = gradient + slope, curvature + bend
        self.weight, self.gold_counts = self._state_weights(share), gold_counts
        self.truth[self.shape[1] :] = self._split_truth()
        self.iterations += 1
        if self.model_log_ratio is not None and self.iterations >= PEOPLE_FIRST:
            self._update_model_weight(gradient, curvature)
        self.table = self._tables(counts)

    def log_table(self) -> Floats:
        """Return (M · K, S) the log-probability of each possible answer in each state."""
        tables, k = self.shape
        kind = self.blocks[0].answers.dtype
        flat = np.log(self.table).transpose(0, 2, 1).reshape(tables * k, -1)
        return flat.astype(kind, copy=False)

    def log_likelihood(self, block: Block, log_table: Floats) -> Floats:
        """Return (n, s) the log-likelihood of all answers to each task of the block."""
        full = len(block.columns) == log_table.shape[1]
        likelihood: Floats = block.answers @ (log_table if full else log_table[:, block.columns])
        return likelihood

    def log_prior(self, block: Block) -> Floats:
        """Return (n, s) or (1, s) the log-prior of the states, not normalised."""
        columns, tasks = block.columns, block.tasks
        log_prior: Floats = np.log(self.weight[columns])[None]
        prior = None if self.known.prior is None else self.known.prior[tasks]
        if prior is not None:
            share = self.weight @ self.states.truth  # (K,)
            ratio = np.where(np.isnan(prior), 1, prior / share)
            with np.errstate(divide="ignore"):
                log_prior = log_prior + np.log(ratio @ self.states.truth[columns].T)
        if self.model_log_ratio is not None and self.model_weight:
            ratio = np.exp(self.model_weight * self.model_log_ratio[tasks])
            log_prior = log_prior + np.log(ratio @ self.states.truth[columns].T)
        if block.closed is not None:
            log_prior = np.where(block.closed, -np.inf, log_prior)
        return log_prior.astype(block.answers.dtype, copy=False)

    def posterior(self, block: Block, likelihood: Floats) -> Floats:
        """Return (n, s) the posterior of the states, given log-likelihoods (n, s) and gold."""
        scores = self.log_prior(block) + likelihood
        gold = self.known.gold[block.tasks]
        (rows,) = np.nonzero(gold >= 0)
        if len(rows):
            scores = np.broadcast_to(scores, likelihood.shape).copy()
            with np.errstate(divide="ignore"):
                scores[rows] += np.log(self.truth[block.columns][:, gold[rows]].T)
            # Gold is right where a prior of zero contradicts it.
            impossible = rows[np.isneginf(scores[rows]).all(1)]
            scores[impossible, gold[impossible]] = 0
        return softmax(scores)

    def _no_counts(self) -> Floats:
        """Return zeros (S, M · K)."""
        tables, k = self.shape
        return np.zeros((len(self.states), tables * k))

    def _add_answers(self, counts: Floats, block: Block, posterior: Floats) -> None:
        """Add the block's expected answers to counts (S, M · K)."""
        expected = block.answers.T @ posterior.astype(block.answers.dtype, copy=False)  # (M · K, s)
        counts[block.columns] += expected.T
        if self.places.shared.any():
            self._chances[:, block.rows] = self.chances(block, posterior)

    def _add_gold(self, counts: Floats, block: Block, posterior: Floats) -> None:
        """Add the block's expected gold tasks to counts (S, K) by state and class."""
        gold = self.known.gold[block.tasks]
        for each in np.unique(gold[gold >= 0]):
            counts[block.columns, each] += posterior[gold == each].sum(0)

    def _tables(self, counts: Floats) -> Floats:
        """Return the answer tables (M, S, K) for expected answers (S, M · K)."""
        tables, k = self.shape
        by_table = counts.reshape(-1, tables, k).transpose(1, 0, 2)  # (M, S, K)
        by_table = np.ascontiguousarray(by_table)
        table = self.hierarchy.tables(by_table, self.states, self._shared())
        self.row_weight = by_table.sum(2)
        self.row_weight[:, :k] += self.hierarchy.row
        self.row_weight[:, k:] += self.hierarchy.split
        if self.places.shared.any():
            self._move()
        return table

    def chances(self, block: Block, posterior: Floats) -> Floats:
        """Return for each answer of the block its weight if it is right, and if it tells (2, n).

        An answer tells of its annotator as far as its task is of one class.
        """
        k = self.shape[1]
        row = np.repeat(np.arange(len(block.tasks)), np.diff(block.answers.indptr))
        label = self.answers.label[block.rows]
        pure = posterior[:, :k]
        chances: Floats = block.answers.data * np.stack([pure[row, label], pure.sum(1)[row]])
        return chances

    def _shared(self) -> Shared | None:
        """Return what those are expected to have answered who share tables; None without any."""
        shared = self.places.shared
        if not shared.any():
            return None
        sums = (np.bincount(self.answers.worker, each, len(shared)) for each in self._chances)
        self.right, self.total = (each.astype(np.float64) for each in sums)
        return Shared(self.right[shared], self.total[shared])

    def _move(self) -> None:
        """Give those who share tables the levels next to their abilities."""
        shared, k = self.places.shared, self.shape[1]
        self.places.move(self.hierarchy.abilities(self.right[shared], self.total[shared]))
        cells = self.places.of[self.answers.worker] * k + self.answers.label
        for block in self.blocks:
            block.answers.indices[:] = cells[block.rows]
        self.given = self._labels_by_table()

    def _labels_by_table(self) -> Floats:
        """Return (M, K) how often those of each table gave each label, by weight."""
        tables, k = self.shape
        cells = self.places.of[self.answers.worker] * k + self.answers.label
        given = np.bincount(cells, self.answers.weight, tables * k)
        return given.reshape(tables, k).astype(np.float64)

    def _initial_counts(self, *, by_gold: bool) -> tuple[Floats, Floats]:
        """Return the first counts (S, M · K) and shares (S,): each task's truth is its votes.

        by_gold: tasks without gold count for nothing.
        """
        counts, share, k = self._no_counts(), np.zeros(len(self.states)), self.shape[1]
        for block in self.blocks:
            prior = None if self.known.prior is None else self.known.prior[block.tasks]
            start = 1 / k if prior is None else np.where(np.isnan(prior), 1 / k, prior)
            posterior = np.zeros((len(block.tasks), len(block.columns)))
            posterior[:, :k] = smoothed_votes(self.votes[block.tasks] / PRIOR_VOTES, start)
            gold = self.known.gold[block.tasks]
            (rows,) = np.nonzero(gold >= 0)
            posterior[slice(None) if by_gold else rows] = 0
            posterior[rows, gold[rows]] = 1
            self._add_answers(counts, block, posterior)
            share[block.columns] += posterior.sum(0)
        return counts, share

    def _state_weights(self, share: Floats) -> Floats:
        """Return shares (S,) of expected tasks, plus one per state and half the votes per class.

        People in doubt give the same few classes, on which posteriors would pile up; so the classes
        are made more alike, the more alike their votes are.
        """
        k = self.shape[1]
        votes = self.votes.sum(0) / self.sizes.sum()
        share = share + 1
        share[:k] += VOTE_SHARE * len(self.votes) * votes
        share[:k] += self.uniform_share * (share[:k].mean() - share[:k])
        weights: Floats = share / share.sum()
        return weights

    def _split_truth(self) -> Floats:
        """Return the truth (S - K, K) of the split states as gold has it."""
        k = self.shape[1]
        counts = SPLIT_WEIGHT * self.states.truth[k:] + self.gold_counts[k:]
        truth: Floats = counts / counts.sum(1, keepdims=True)
        return truth

    def _model_gradient(self, block: Block, posterior: Floats) -> tuple[float, float]:
        """Return the gradient and curvature, in the model weight, of the block's log-likelihood.

        The likelihood is that of the block's posterior as soft labels under the prior which the
        model gives: softmax(log base rate + weight · log ratio).
        """
        assert self.model_log_ratio is not None
        log_ratio = self.model_log_ratio[block.tasks]  # (n, K)
        classes = posterior @ self.truth[block.columns]  # (n, K)
        share = self.weight @ self.states.truth  # (K,)
        prior = None if self.known.prior is None else self.known.prior[block.tasks]
        base = share if prior is None else np.where(np.isnan(prior), share, prior)
        predicted = softmax(np.log(base.clip(EDGE)) + self.model_weight * log_ratio)
        mean = (predicted * log_ratio).sum(1)
        gradient = ((classes - predicted) * log_ratio).sum()
        curvature = (predicted * log_ratio**2).sum() - (mean**2).sum()
        return float(gradient), float(curvature)

    def _update_model_weight(self, gradient: float, curvature: float) -> None:
        """Take a Newton step in the model weight, under its normal prior."""
        gradient += 2 * PRIOR_PRECISION * (DEFAULT_WEIGHT - self.model_weight)
        weight = self.model_weight + gradient / (curvature + 2 * PRIOR_PRECISION)
        self.model_weight = float(np.clip(weight, 0, MAX_WEIGHT))


def softmax(scores: Floats) -> Floats:
    """Return rows of exp(scores), each divided by its sum."""
    powers: Floats = scores - scores.max(1, keepdims=True)
    np.exp(powers, out=powers)
    powers /= (powers @ np.ones(powers.shape[1], powers.dtype))[:, None]  # quicker than a sum
    return powers


def smoothed_votes(votes: Floats, prior: Floats | float) -> Floats:
    """Return shares of votes (n, K), with one more vote that is cast as the prior says."""
    shares: Floats = (votes + prior) / (votes.sum(1, keepdims=True) + 1)
    return shares


def _uniform_share(votes: Floats) -> float:
    """Return how much of the class prior is uniform, from 0 to 1, for votes (K,) of all tasks.

    It is 0 for two classes, of which neither is a refuge from the other.
    """
    k = len(votes)
    if k < 3:
        return 0.0
    share = votes[votes > 0] / votes.sum()
    evenness = float(-(share * np.log(share)).sum() / np.log(k))
    return float((1 - 2 / k) * evenness**EVENNESS)


def _log_ratio(model_probabilities: Floats | None) -> Floats | None:
    """Return log p - log of its mean over tasks (T, K), 0 where the model gives none."""
    if model_probabilities is None or np.isnan(model_probabilities).all():
        return None
    clipped = model_probabilities.clip(EDGE, 1)
    ratio: Floats = np.log(clipped) - np.log(np.nanmean(clipped, 0))
    return np.where(np.isnan(ratio), 0.0, ratio)
