"""Expectation maximisation of Dawid and Skene's model in one pass over blocks of tasks.

A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM
algorithm", Applied Statistics 28 (1979). A `Crowd` is what is learned, a `Part` the tasks that it
is learned from: all of them, or a shard. In an iteration each part sums up what is expected of its
tasks (`Sums`), block by block, which keeps memory flat; the crowd learns from the sum of these.
T tasks, W annotators, M tables of answers (an annotator's own, or of a level that some share:
`levels`), K classes and S states (classes and splits, `states`); a block has n tasks, to which s
states are open.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from labeling.aggregation import levels
from labeling.aggregation.answers import Floats, Ints
from labeling.aggregation.confusion import Hierarchy, Shared
from labeling.aggregation.model_weight import DEFAULT_WEIGHT, MAX_WEIGHT, PRIOR_PRECISION
from labeling.aggregation.states import PRECISE, Block, Groups, blocks, states

LARGEST = 2 * 10**7  # cells of all confusion matrices: 160 MB, of which there are a dozen copies
VOTE_SHARE = 0.5  # weight of the plain votes beside the learned class prior, which alone can drift
EVENNESS = 6  # power of the votes' evenness in the share of the class prior that is uniform
SETTLED = 5e-4  # share of the answers that change their task's state, below which EM ends
PEOPLE_FIRST = 4  # iterations without the model, lest it decides which people are believed
PRIOR_VOTES = 0.25  # votes cast as the prior says, in the first guess of each task's truth
SPLIT_WEIGHT = 1.0  # pseudo-tasks that hold a split state's truth to its nominal one
EDGE = 1e-6  # distance that a model's probabilities keep from 0
THREADS = 2  # that share the blocks of a part, always in the same way
STEEP = 80.0  # difference of log-likelihoods up to which single precision holds their ratio

Found = TypeVar("Found")


@dataclass(frozen=True)
class Known:
    """What is known of T tasks besides their answers."""

    gold: npt.NDArray[np.intp]  # (T,) the class, or -1
    prior: Floats | None = None  # (T, K), NaN where there is none
    model_probabilities: Floats | None = None  # (T, K), NaN where there are none
    start: Floats | None = None  # (T, K) a first guess at the truth, in place of the votes


@dataclass(frozen=True)
class Totals:
    """What must be known of all tasks before anything is learned."""

    tasks: int
    votes: Floats  # (K,) weight of the answers by class
    together: Floats  # (K, K) tasks to which both classes were given
    answers: Ints  # (W,) of each annotator
    single: int  # tasks with one answer, which nobody else's confirms


@dataclass
class Sums:
    """What a part of the tasks is expected to be, by the crowd's tables."""

    counts: Floats  # (S, M · K) answers by the state of their task, and by table and label
    share: Floats  # (S,) tasks
    gold: Floats  # (S, K) tasks with gold, by state and class
    gradient: float = 0.0  # of the log-likelihood, in the model weight
    curvature: float = 0.0
    right: Floats = field(default_factory=lambda: np.zeros(0))  # (W,) if any share tables: answers
    total: Floats = field(default_factory=lambda: np.zeros(0))  # (W,) … expected to be right; all

    def add(self, other: "Sums") -> None:
        """Add those of another part."""
        self.counts += other.counts
        self.share += other.share
        self.gold += other.gold
        self.gradient += other.gradient
        self.curvature += other.curvature
        self.right = self.right + other.right
        self.total = self.total + other.total


class Crowd:
    """The parameters that explain answers: tables, and frequencies of the states."""

    def __init__(
        self, totals: Totals, *, with_model: bool = False, model_first: bool = False
    ) -> None:
        """with_model: whether a model's probabilities are known of some tasks.

        model_first: whether it has a say from the first iteration on. Raises ValueError where
        tables would be too large.
        """
        k = len(totals.votes)
        self.totals = totals
        self.precise = totals.answers.sum() <= PRECISE  # whether sums are of double precision
        self.uniform_share = _uniform_share(totals.votes)  # of the class prior
        self.places = levels.places(totals.answers, k)
        self.shape = self.places.tables, k  # M, K
        if self.places.tables * k * k > LARGEST:
            raise ValueError(
                f"{k:,} classes are too many for confusion matrices: labels must be classes, not "
                "free text"
            )
        self.states = states(totals.together, self.shape[0])
        self.hierarchy = Hierarchy(compared=1 - totals.single / totals.answers.sum())
        self.truth = self.states.truth.copy()  # (S, K); gold teaches what splits mean
        self.with_model = with_model
        self.model_weight = MAX_WEIGHT if model_first else 0.0  # factor of the model's log-odds
        self.people_first = 0 if model_first else PEOPLE_FIRST
        self.iterations = 0
        size = len(self.states)
        self.weight = np.full(size, 1 / size)  # (S,) prior of the states
        self.table = np.zeros((0, size, k))  # (M, S, K) probability of each answer in each state
        self.row_weight = np.zeros(0)  # (M, S) answers and pseudo-answers behind each table row
        self.given = np.zeros(0)  # (M, K) answers from which the tables were learned
        self.gold_counts = np.zeros_like(self.truth)  # expected gold tasks by state and class
        self.right = np.zeros(0)  # (W,) expected right answers, if any share tables
        self.total = np.zeros(0)  # (W,) and all of theirs

    def fit(self, first: Sums, expected: Callable[[], Sums], iterations: int) -> None:
        """Learn from what is expected at first, and then by the crowd: EM.

        expected: returns what is expected by the crowd as it stands. iterations: at most; there are
        fewer where what is expected changes no more.
        """
        self.begin(first)
        for _ in range(iterations):
            sums = expected()
            self.update(sums)
            moved = np.abs(sums.counts - first.counts).sum() / 2
            model_counts = not self.with_model or self.iterations > self.people_first + 1
            if model_counts and moved < SETTLED * sums.counts.sum():
                break
            first = sums

    def begin(self, sums: Sums) -> None:
        """Learn the first tables and weights."""
        self.weight = self._state_weights(sums.share)
        self._learn_tables(sums)

    def update(self, sums: Sums) -> None:
        """Learn from what is expected of all tasks: the end of an iteration."""
        self.weight, self.gold_counts = self._state_weights(sums.share), sums.gold
        self.truth[self.shape[1] :] = self._split_truth()
        self.iterations += 1
        if self.with_model and self.iterations >= self.people_first:
            self._update_model_weight(sums.gradient, sums.curvature)
        self._learn_tables(sums)

    def log_table(self) -> Floats:
        """Return (M · K, S) the log-probability of each answer in each state, less the first's."""
        tables, k = self.shape
        table = self.table if self.precise else self.table.astype(np.float32)
        logs = np.log(table).transpose(0, 2, 1).reshape(tables * k, -1)
        logs -= logs[:, :1]
        return logs

    def no_sums(self) -> Sums:
        """Return sums of no task."""
        tables, k = self.shape
        size = len(self.states)
        return Sums(np.zeros((size, tables * k)), np.zeros(size), np.zeros((size, k)))

    def _learn_tables(self, sums: Sums) -> None:
        tables, k = self.shape
        by_table = sums.counts.reshape(-1, tables, k).transpose(1, 0, 2)  # (M, S, K)
        by_table = np.ascontiguousarray(by_table)
        self.given = by_table.sum(1)
        shared = self.places.shared
        of_shared = None
        if shared.any():
            self.right, self.total = sums.right, sums.total
            of_shared = Shared(self.right[shared], self.total[shared])
        self.table = self.hierarchy.tables(by_table, self.states, of_shared)
        self.row_weight = by_table.sum(2)
        self.row_weight[:, :k] += self.hierarchy.row
        self.row_weight[:, k:] += self.hierarchy.split
        if of_shared is not None:
            self.places.move(self.hierarchy.abilities(of_shared.right, of_shared.total))

    def _state_weights(self, share: Floats) -> Floats:
        """Return shares (S,) of expected tasks, plus one per state and half the votes per class.

        People in doubt give the same few classes, on which posteriors would pile up; so the classes
        are made more alike, the more alike their votes are.
        """
        k = self.shape[1]
        votes = self.totals.votes / self.totals.votes.sum()
        share = share + 1
        share[:k] += VOTE_SHARE * self.totals.tasks * votes
        share[:k] += self.uniform_share * (share[:k].mean() - share[:k])
        weights: Floats = share / share.sum()
        return weights

    def _split_truth(self) -> Floats:
        """Return the truth (S - K, K) of the split states as gold has it."""
        k = self.shape[1]
        counts = SPLIT_WEIGHT * self.states.truth[k:] + self.gold_counts[k:]
        truth: Floats = counts / counts.sum(1, keepdims=True)
        return truth

    def _update_model_weight(self, gradient: float, curvature: float) -> None:
        """Take a Newton step in the model weight, under its normal prior."""
        gradient += 2 * PRIOR_PRECISION * (DEFAULT_WEIGHT - self.model_weight)
        weight = self.model_weight + gradient / (curvature + 2 * PRIOR_PRECISION)
        self.model_weight = float(np.clip(weight, 0, MAX_WEIGHT))


class Part:
    """Tasks with their answers and what else is known of them, as a crowd explains them."""

    def __init__(
        self,
        crowd: Crowd,
        groups: Groups,
        votes: Floats,
        known: Known,
        *,
        annotators: Ints | None = None,
        threads: int = THREADS,
    ) -> None:
        """annotators: those of this part, which its answers number from 0; without it all."""
        self.threads = threads
        self.crowd, self.groups, self.votes, self.known = crowd, groups, votes, known
        self.annotators = annotators
        self.sizes = votes.sum(1)  # (T,) answers per task, by their weight
        kind = np.float64 if crowd.precise else np.float32
        self.blocks = blocks(
            groups,
            votes,
            crowd.states,
            table_of=self._table_of(),
            tables=crowd.places.tables,
            kind=kind,
        )
        self.model_log_ratio = _log_ratio(known.model_probabilities)  # (T, K)

    def first_sums(self, *, by_gold: bool) -> Sums:
        """Return what is expected where each task's truth is its votes, or the known start.

        by_gold: tasks without gold count for nothing.
        """
        k = self.crowd.shape[1]

        def posterior(block: Block) -> Floats:
            prior = None if self.known.prior is None else self.known.prior[block.tasks]
            start = 1 / k if prior is None else np.where(np.isnan(prior), 1 / k, prior)
            first = np.zeros((len(block.tasks), len(block.columns)))
            guess = smoothed_votes(self.votes[block.tasks] / PRIOR_VOTES, start)
            if self.known.start is not None:
                given = self.known.start[block.tasks]
                guess = np.where(np.isnan(given), guess, given)
            first[:, :k] = guess
            gold = self.known.gold[block.tasks]
            (rows,) = np.nonzero(gold >= 0)
            first[slice(None) if by_gold else rows] = 0
            first[rows, gold[rows]] = 1
            return first

        return self._summed(posterior)

    def sums(self) -> Sums:
        """Return what is expected by the crowd's tables."""
        likelihoods = self.likelihoods()
        return self._summed(lambda block: self.posterior(block, likelihoods(block)))

    def likelihoods(self) -> Callable[[Block], Floats]:
        """Return a function of a block: (n, s) log-likelihoods of all answers to each task.

        They are relative to that of the first state, which is open to every task.
        """
        self._move()
        log_table = self.crowd.log_table()
        tables = {}
        for block in self.blocks:
            key = block.columns.tobytes()
            if key not in tables:
                full = len(block.columns) == log_table.shape[1]
                tables[key] = log_table if full else log_table[:, block.columns]
        return lambda block: block.answers @ tables[block.columns.tobytes()]

    def log_prior(self, block: Block) -> Floats:
        """Return (n, s) or (1, s) the log-prior of the states, not normalised."""
        columns, tasks, crowd = block.columns, block.tasks, self.crowd
        log_prior: Floats = np.log(crowd.weight[columns] / crowd.weight[0])[None]
        prior = None if self.known.prior is None else self.known.prior[tasks]
        if prior is not None:
            share = crowd.weight @ crowd.states.truth  # (K,)
            ratio = np.where(np.isnan(prior), 1, prior / share)
            with np.errstate(divide="ignore"):
                log_prior = log_prior + np.log(ratio @ crowd.states.truth[columns].T)
        if self.model_log_ratio is not None and crowd.model_weight:
            ratio = np.exp(crowd.model_weight * self.model_log_ratio[tasks])
            log_prior = log_prior + np.log(ratio @ crowd.states.truth[columns].T)
        return log_prior.astype(block.answers.dtype, copy=False)

    def posterior(self, block: Block, likelihood: Floats) -> Floats:
        """Return (n, s) the posterior of the states, given log-likelihoods (n, s) and gold.

        The likelihoods are overwritten.
        """
        scores = likelihood
        scores += self.log_prior(block)
        close(scores, block)
        gold = self.known.gold[block.tasks]
        (rows,) = np.nonzero(gold >= 0)
        known = np.zeros((0, len(block.columns)))
        if len(rows):
            known = self._posterior_with_gold(block, scores[rows], gold[rows])
            scores[rows] = 0
        posterior = _softmax_from_zero(scores) if self._from_zero else softmax(scores)
        posterior[rows] = known
        return posterior

    def _posterior_with_gold(self, block: Block, scores: Floats, gold: Ints) -> Floats:
        """Return (n, s) the posterior of tasks with gold (n,), from their scores without it."""
        with np.errstate(divide="ignore"):
            scores += np.log(self.crowd.truth[block.columns][:, gold].T)
        # Gold is right where a prior of zero contradicts it.
        impossible = np.isneginf(scores).all(1)
        scores[impossible, gold[impossible]] = 0
        return softmax(scores)

    @property
    def _from_zero(self) -> bool:
        """Whether the score of each task's first state is 0, and of single precision."""
        certain = self.known.prior is None and self.model_log_ratio is None
        return certain and not self.crowd.precise

    def chances(self, block: Block, posterior: Floats) -> Floats:
        """Return for each answer of the block its weight if it is right, and if it tells (2, n).

        An answer tells of its annotator as far as its task is of one class.
        """
        k = self.crowd.shape[1]
        row = np.repeat(np.arange(len(block.tasks)), np.diff(block.answers.indptr))
        pure = posterior[:, :k]
        chances: Floats = block.answers.data * np.stack([pure[row, block.label], pure.sum(1)[row]])
        return chances

    def annotators_of(self, block: Block) -> npt.NDArray[Any]:
        """Return the annotator of each answer, among all of the crowd."""
        return block.worker if self.annotators is None else self.annotators[block.worker]

    def in_chains(self, work: Callable[[Iterable[Block]], Found]) -> list[Found]:
        """Return what work does with the blocks: in chains, a thread each, if there are many.

        Who gets which block depends on the blocks alone, lest sums differ from machine to machine.
        """
        if self.crowd.precise or self.threads == 1:
            return [work(self.blocks)]
        chains: list[list[Block]] = [[] for _ in range(self.threads)]
        loads = [0] * self.threads
        for block in self.blocks:
            least = loads.index(min(loads))
            chains[least].append(block)
            loads[least] += (len(block.worker) + len(block.tasks)) * len(block.columns)
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, chains))

    def _summed(self, posteriors: Callable[[Block], Floats]) -> Sums:
        """Return the sums over all blocks by the posteriors (n, s) of each."""
        shared = bool(self.crowd.places.shared.any())
        chances = np.zeros((2, len(self.groups.worker) if shared else 0))

        def summed(chain: Iterable[Block]) -> Sums:
            sums = self.crowd.no_sums()
            for block in chain:
                posterior = posteriors(block)
                self._add(sums, block, posterior)
                if shared:
                    chances[:, block.answered] = self.chances(block, posterior)
            return sums

        sums, *others = self.in_chains(summed)
        for other in others:
            sums.add(other)
        if shared:
            worker, size = self.groups.worker, len(self._table_of())
            right, total = (np.bincount(worker, each, size) for each in chances)
            sums.right, sums.total = right.astype(np.float64), total.astype(np.float64)
        return sums

    def _add(self, sums: Sums, block: Block, posterior: Floats) -> None:
        """Add what is expected of one block."""
        posterior = posterior.astype(block.answers.dtype, copy=False)
        expected = block.answers.T @ posterior  # (M · K, s)
        for place, column in enumerate(block.columns.tolist()):  # quicker than all at once
            sums.counts[column] += expected[:, place]
        sums.share[block.columns] += np.ones(len(posterior), posterior.dtype) @ posterior
        gold = self.known.gold[block.tasks]
        for each in np.unique(gold[gold >= 0]):
            sums.gold[block.columns, each] += posterior[gold == each].sum(0)
        if self.model_log_ratio is not None:
            gradient, curvature = self._model_gradient(block, posterior)
            sums.gradient += gradient
            sums.curvature += curvature

    def _table_of(self) -> Ints:
        """Return (w,) the table that each annotator of this part has at the moment."""
        of = self.crowd.places.of
        return of if self.annotators is None else of[self.annotators]

    def _move(self) -> None:
        """Look answers up in the tables that those who share some have now."""
        if self.crowd.places.shared.any():
            of, k = self._table_of(), self.crowd.shape[1]
            for block in self.blocks:
                block.answers.indices[:] = of[block.worker] * k + block.label

    def _model_gradient(self, block: Block, posterior: Floats) -> tuple[float, float]:
        """Return the gradient and curvature, in the model weight, of the block's log-likelihood.

        The likelihood is that of the block's posterior as soft labels under the prior which the
        model gives: softmax(log base rate + weight · log ratio).
        """
        assert self.model_log_ratio is not None
        crowd = self.crowd
        log_ratio = self.model_log_ratio[block.tasks]  # (n, K)
        classes = posterior @ crowd.truth[block.columns]  # (n, K)
        share = crowd.weight @ crowd.states.truth  # (K,)
        prior = None if self.known.prior is None else self.known.prior[block.tasks]
        base = share if prior is None else np.where(np.isnan(prior), share, prior)
        predicted = softmax(np.log(base.clip(EDGE)) + crowd.model_weight * log_ratio)
        mean = (predicted * log_ratio).sum(1)
        gradient = ((classes - predicted) * log_ratio).sum()
        curvature = (predicted * log_ratio**2).sum() - (mean**2).sum()
        return float(gradient), float(curvature)


def close(scores: Floats, block: Block) -> None:
    """Set the scores (n, s) of states that are not open to the block's tasks."""
    if block.closed is not None:
        np.copyto(scores, -np.inf, where=block.closed)


def softmax(scores: Floats) -> Floats:
    """Return rows of exp(scores), each divided by its sum."""
    powers: Floats = scores - scores.max(1, keepdims=True)
    return _shares(np.exp(powers, out=powers))


def _softmax_from_zero(scores: Floats) -> Floats:
    """Return the same for scores whose first column is 0. They are overwritten."""
    if scores.max(initial=0.0) > STEEP:
        return softmax(scores)
    return _shares(np.exp(scores, out=scores))


def _shares(powers: Floats) -> Floats:
    """Return rows divided by their sums. They are overwritten."""
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
