"""Batch truth inference: Dawid and Skene's model with ambiguous tasks, shared errors and gold.

A. P. Dawid and A. M. Skene (1979) by EM (`em`), under a hierarchical prior on confusion matrices
(`confusion`), with split truths (`states`), a tempered posterior (`design_effect`) and calibration
by gold (`gold`). docs/truth-inference.md says why each.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation import gold_check
from labeling.aggregation.answers import Answers, Floats, Ints, encode, gold_rows, prior_rows
from labeling.aggregation.design_effect import excess, tempered
from labeling.aggregation.em import Crowd, Known, Part, Totals
from labeling.aggregation.gold import IDENTITY, GoldCalibration, fit, leave_one_out, log_score
from labeling.aggregation.gold_check import GoldWarning
from labeling.aggregation.states import Block, groups, together

Bools = npt.NDArray[np.bool_]

ITERATIONS = 10  # of EM
ODD = 1.0  # standard deviations of gold's likelihood from which EM is begun by gold, too; and …
CHEAP = 10**5  # … answers up to which it always is
TIE = 1e-9  # difference of probabilities below which classes are tied


@dataclass(frozen=True)
class Aggregate:
    """What is inferred of T tasks, K classes and W workers, each sorted by id."""

    tasks: npt.NDArray[Any]  # (T,) ids
    classes: npt.NDArray[Any]  # (K,) ids
    posterior: Floats  # (T, K) probabilities, rows sum to one
    leave_one_out: Floats  # (T, K) the posterior as if the task's own gold were unknown
    label: npt.NDArray[Any]  # (T,) the most probable class, by id
    confidence: Floats  # (T,) its probability
    ambiguity: Floats  # (T,) probability that the truth is split between two classes
    workers: npt.NDArray[Any]  # (W,) ids
    answers: Ints  # (W,) how many answers each worker gave
    tables: Floats  # (M, K, K) confusion matrices: an annotator's own, or shared by some
    table_of: Ints  # (W,) which of them is each worker's
    reliability: Floats  # (W,) probability of a right answer, over all tasks
    error_correlation: float  # of annotators within a task, 0 … 1
    model_weight: float  # factor learned for the model's log-odds, 0 … 1; 0 without a model

    @property
    def confusion(self) -> Floats:
        """(W, K, K) the probability of answering [.., .., l] where the truth is [.., k, ..]."""
        return self.tables[self.table_of]


def aggregate(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    *,
    gold: Mapping[Any, Any] | None = None,
    decided: Mapping[Any, Any] | None = None,
    prior: npt.ArrayLike | Mapping[Any, Sequence[float]] | None = None,
    model_probabilities: npt.ArrayLike | Mapping[Any, Sequence[float]] | None = None,
    classes: Sequence[Any] | None = None,
    weight: npt.ArrayLike | None = None,
    start: npt.ArrayLike | None = None,
    iterations: int = ITERATIONS,
) -> Aggregate:
    """Infer the true class of each task from answers, given as three columns of N ids.

    gold: task id → class id, for tasks that were chosen without regard to their answers. They are
        clamped, and calibrate the posterior of the others. Tasks without answers are left out.
    decided: task id → class id, for tasks that were chosen because of their answers, such as those
        on which people disagreed. They are clamped, but calibrate nothing.
    prior: class probabilities by task, instead of the learned class prior: either (T, K) with
        rows in the order of the sorted task ids, or task id → K numbers for some of the tasks.
    model_probabilities: a model's class probabilities in the same form as the prior, for tasks
        that the model was not fitted to. Its log-odds, less those of its mean over tasks, count as
        far as they agree with people's answers: from not at all to fully.
    classes: all classes, where the answers may not show each of them; needed with a prior.
    weight: (N,) of the answers, above 0 and at most 1: the exponents of their likelihoods, and how
        often they count where tables are learned. Without it all weigh 1.
    start: a first guess at the truth: (T, K) class probabilities in the order of the sorted task
        ids, from which EM begins in place of the votes. A model then has a say from the outset.
    iterations: of EM, at most; few on purpose, since some data get worse when run to convergence.

    Of several answers of a worker to a task the last one counts; otherwise order does not matter.
    Nor do names, but for a tie in the posterior: then the class with more answers over all tasks
    wins, and after that the first by id. Raises ValueError where columns, gold, prior or model
    probabilities do not fit together. Warns of gold that contradicts answers more than chance
    would (`GoldWarning`), unless there is a prior.
    """
    truths = {**(decided or {}), **(gold or {})}
    answered = set(np.asarray(task).tolist()) if truths else set()
    truths = {key: value for key, value in truths.items() if key in answered}
    also = list(truths.values())
    answers = encode(task, worker, label, classes=classes, also=also, weight=weight)
    known = Known(
        _classes_of(truths, answers),
        None if prior is None else prior_rows(prior, answers),
        None
        if model_probabilities is None
        else prior_rows(model_probabilities, answers, name="model's probability"),
        None if start is None else prior_rows(start, answers, name="start"),
    )
    teaching = _classes_of(
        {key: each for key, each in (gold or {}).items() if key in answered}, answers
    )
    if prior is None and (teaching >= 0).any():
        votes = answers.votes()
        right = gold_check.right(votes, teaching)
        doubt = gold_check.doubt(right, teaching[teaching >= 0], votes.sum(0))
        if doubt:
            warnings.warn(doubt, GoldWarning, stacklevel=2)
    return _result(answers, _fit(answers, known, teaching >= 0, iterations))


@dataclass(frozen=True)
class Fitted:
    """A crowd after EM, and what it says of the tasks with gold as if that were unknown."""

    part: Part
    teaching: Bools  # (T,) the tasks whose gold calibrates
    correlation: float  # of errors
    held_out: Floats  # (T, K); zeros without gold

    @classmethod
    def of(cls, part: Part, teaching: Bools) -> "Fitted":
        """Return what a crowd says that was learned from all tasks."""
        correlation = excess(part).correlation
        return cls(part, teaching, correlation, _held_out(part, correlation))

    def log_score(self) -> tuple[float, float]:
        """Return how likely the gold is that calibrates, and how odd (`gold.log_score`)."""
        taught = self.teaching
        return log_score(self.held_out[taught], self.part.known.gold[taught])

    def likelier(self, other: "Fitted") -> "Fitted":
        """Return this one, or the other one if the gold is likelier by that."""
        return other if other.log_score()[0] > self.log_score()[0] else self

    def calibration(self) -> GoldCalibration:
        """Return the calibration by the gold that teaches."""
        if not self.teaching.any():
            return IDENTITY
        part, gold = self.part, self.part.known.gold[self.teaching]
        # With a prior, gold may be of other classes than the prior says of the tasks.
        biased = part.known.prior is None
        return fit(self.held_out[self.teaching], gold, part.crowd.totals.votes, biased=biased)


def _fit(answers: Answers, known: Known, teaching: Bools, iterations: int) -> Fitted:
    """Fit the crowd from its votes; from its gold, too, if it misjudges that or is small.

    Where most annotators err alike, EM that begins at the votes believes them, whatever gold says.
    Of the two crowds the one is kept under which the gold is likelier.
    """
    votes = answers.votes()

    def fitted(*, by_gold: bool) -> Fitted:
        part = fit_crowd(answers, votes, known, iterations=iterations, by_gold=by_gold)
        return Fitted.of(part, teaching)

    found = fitted(by_gold=False)
    if not teaching.any():
        return found
    _, oddness = found.log_score()
    if oddness < ODD and len(answers.task) > CHEAP:
        return found
    return found.likelier(fitted(by_gold=True))


def fit_crowd(
    answers: Answers,
    votes: Floats,
    known: Known,
    *,
    iterations: int = ITERATIONS,
    by_gold: bool = False,
) -> Part:
    """Return all tasks with the crowd that is learned from them.

    votes: (T, K) of the answers. by_gold: whether EM begins at the tasks with gold alone.
    """
    counts = np.bincount(answers.worker, minlength=len(answers.workers))
    single = int((np.bincount(answers.task) == 1).sum())
    totals = Totals(len(votes), votes.sum(0), together(votes), counts, single)
    with_model = known.model_probabilities is not None
    crowd = Crowd(totals, with_model=with_model, model_first=with_model and known.start is not None)
    tasks = groups(answers, votes, crowd.states, crowd.places.tables)
    part = Part(crowd, tasks, votes, known)
    crowd.fit(part.first_sums(by_gold=by_gold), part.sums, iterations)
    return part


def _held_out(part: Part, correlation: float) -> Floats:
    """Return (T, K) the posteriors of tasks with gold as if that were unknown; zeros elsewhere."""
    held_out = np.zeros_like(part.votes)
    if (part.known.gold >= 0).any():
        likelihoods = part.likelihoods()
        for block in part.blocks:
            tasks, posteriors = leave_one_out(part, block, likelihoods, correlation)
            held_out[tasks] = posteriors
    return held_out


def _result(answers: Answers, fitted: Fitted) -> Aggregate:
    """Return the results of a fitted crowd."""
    part, crowd = fitted.part, fitted.part.crowd
    k = crowd.shape[1]
    calibration = fitted.calibration()
    posterior, ambiguity = np.empty_like(part.votes), np.empty(len(part.votes))
    likelihoods = part.likelihoods()

    def infer(blocks: Iterable[Block]) -> None:
        for block in blocks:
            classes, split = tempered(part, block, likelihoods(block), fitted.correlation)
            posterior[block.tasks], ambiguity[block.tasks] = calibration.apply(classes), split

    part.in_chains(infer)
    without_gold = posterior
    gold = part.known.gold
    (known,) = np.nonzero(gold >= 0)
    if len(known):
        without_gold = posterior.copy()
        without_gold[known] = calibration.apply(fitted.held_out[known])
        posterior[known] = np.eye(k)[gold[known]]
        ambiguity[known] = 0
    label = best(posterior, crowd.totals.votes)
    tables, table_of = crowd.table[:, :k], crowd.places.of
    return Aggregate(
        tasks=answers.tasks,
        classes=answers.classes,
        posterior=posterior,
        leave_one_out=without_gold,
        label=answers.classes[label],
        confidence=posterior[np.arange(len(label)), label],
        ambiguity=ambiguity,
        workers=answers.workers,
        answers=crowd.totals.answers,
        tables=tables,
        table_of=table_of,
        reliability=np.einsum("k,jkk->j", posterior.mean(0), tables)[table_of],
        error_correlation=fitted.correlation,
        model_weight=crowd.model_weight,
    )


def _classes_of(truths: Mapping[Any, Any], answers: Answers) -> npt.NDArray[np.intp]:
    """Return (T,) the class of each task in `truths` as an index, -1 for the others."""
    if not truths:
        return np.full(len(answers.tasks), -1)
    rows = gold_rows(truths, answers)
    return np.where(np.isnan(rows[:, 0]), -1, rows.argmax(1))


def best(posterior: Floats, popularity: Floats) -> Ints:
    """Return (T,) the most probable class; of tied ones the most popular, then the first."""
    ties = posterior >= posterior.max(1, keepdims=True) - TIE
    best: Ints = np.where(ties, popularity, -1.0).argmax(1)
    return best
