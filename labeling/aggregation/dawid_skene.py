"""What the answers add up to: Dawid-Skene that knows ambiguous tasks, shared errors and gold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Answers, Floats, Ints, encode, gold_rows, prior_rows
from labeling.aggregation.design_effect import error_correlation, tempered
from labeling.aggregation.em import Crowd, Known
from labeling.aggregation.gold import UNFITTED, Fit, blind, fit

Bools = npt.NDArray[np.bool_]

LARGEST = 2 * 10**8  # cells of all confusion matrices: 1.6 GB
TIE = 1e-9


@dataclass(frozen=True)
class Aggregate:
    """T tasks, K classes and W workers, each sorted by id."""

    tasks: npt.NDArray[Any]  # (T,) ids
    classes: npt.NDArray[Any]  # (K,) ids
    posterior: Floats  # (T, K) probabilities, rows sum to one
    leave_one_out: Floats  # (T, K) the same as if the task's own gold were unknown
    label: npt.NDArray[Any]  # (T,) the most probable class, by id
    confidence: Floats  # (T,) its probability
    ambiguity: Floats  # (T,) probability that the truth is split between two classes
    workers: npt.NDArray[Any]  # (W,) ids
    answers: Ints  # (W,) how many answers each worker gave
    confusion: (
        Floats  # (W, K, K) probability of answering [.., .., l] where the truth is [.., k, ..]
    )
    reliability: Floats  # (W,) probability of a right answer, over all tasks
    error_correlation: float  # correlation of errors within a task, 0 … 1
    model_weight: float  # the factor learned for the log-odds of `model_probabilities`; 0 without


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
    iterations: int = 10,
) -> Aggregate:
    """Infer the true class of each task from answers, given as three columns of N ids.

    gold: task id → class id, for tasks that were picked without regard to their answers; they are
        clamped, and teach how far the others may be believed. Those without answers are left out.
    decided: the same for tasks that were picked because of their answers, such as those on which
        people disagreed; they are clamped, and say nothing about how right crowds usually are.
    prior: class probabilities by task, instead of the learned class prior: either (T, K) with
        rows in the order of the sorted task ids, or task id → K numbers for some of the tasks.
    model_probabilities: a model's class probabilities in the same form as the prior, for tasks
        that the model was not fitted to. Its log-odds, less those of its mean over tasks, count as
        far as they agree with people's answers: from not at all to fully.
    classes: all classes, where the answers may not show each of them; needed with a prior.
    iterations: few by intent, since some data get worse when run to convergence.

    Of several answers of a worker to a task the last one counts; otherwise order does not matter.
    Nor do names, but for a tie in the posterior: then the class with more answers over all tasks
    wins, and after that the first by id. Raises ValueError on columns, gold, priors or opinions
    that do not fit together.
    """
    truths = {**(decided or {}), **(gold or {})}
    there = set(np.asarray(task).tolist()) if truths else set()
    truths = {key: value for key, value in truths.items() if key in there}
    answers = encode(task, worker, label, classes=classes, also=list(truths.values()))
    workers, k = len(answers.workers), len(answers.classes)
    if workers * k * k > LARGEST:
        raise ValueError(
            f"{k:,} classes times {workers:,} workers are too many for confusion matrices: labels "
            "must be classes, not free text"
        )
    crowd = Crowd(
        answers,
        answers.votes(),
        Known(
            _classes_of(truths, answers),
            None if prior is None else prior_rows(prior, answers),
            None
            if model_probabilities is None
            else prior_rows(model_probabilities, answers, name="opinion"),
        ),
    )
    for _ in range(iterations):
        crowd.iterate()
    teaching = {key: value for key, value in (gold or {}).items() if key in there}
    return _result(answers, crowd, _classes_of(teaching, answers) >= 0)


def _result(answers: Answers, crowd: Crowd, teaching: Bools) -> Aggregate:
    """teaching: (T,) the tasks whose known truth tells how right the crowd usually is."""
    k = crowd.shape[1]
    correlation = error_correlation(crowd, answers)
    unseen, fitted = _learn_from_gold(crowd, correlation, teaching)
    posterior, ambiguity = np.empty_like(crowd.votes), np.empty(len(crowd.votes))
    log_table = crowd.log_table()
    for block in crowd.blocks:
        likelihood = crowd.log_likelihood(block, log_table)
        belief, ambiguity[block.tasks] = tempered(crowd, block, likelihood, correlation)
        posterior[block.tasks] = fitted.apply(belief)
    hidden = posterior
    gold = crowd.known.gold
    (certain,) = np.nonzero(gold >= 0)
    if len(certain):
        hidden = posterior.copy()
        hidden[certain] = unseen
        posterior[certain] = np.eye(k)[gold[certain]]
        ambiguity[certain] = 0
    best = _best(posterior, crowd.votes.sum(0))
    confusion = crowd.table[:, :k]
    return Aggregate(
        tasks=answers.tasks,
        classes=answers.classes,
        posterior=posterior,
        leave_one_out=hidden,
        label=answers.classes[best],
        confidence=posterior[np.arange(len(best)), best],
        ambiguity=ambiguity,
        workers=answers.workers,
        answers=np.bincount(answers.worker, minlength=crowd.shape[0]),
        confusion=confusion,
        reliability=np.einsum("k,jkk->j", posterior.mean(0), confusion),
        error_correlation=correlation,
        model_weight=0.0 if crowd.model_log_ratio is None else crowd.model_weight,
    )


def _classes_of(truths: Mapping[Any, Any], answers: Answers) -> npt.NDArray[np.intp]:
    """(T,) the class of each task whose truth is known, -1 for the others."""
    if not truths:
        return np.full(len(answers.tasks), -1)
    rows = gold_rows(truths, answers)
    return np.where(np.isnan(rows[:, 0]), -1, rows.argmax(1))


def _learn_from_gold(crowd: Crowd, correlation: float, teaching: Bools) -> tuple[Floats, Fit]:
    """(G, K) posteriors of tasks of known truth, in their order, as if it were unknown; the fit."""
    gold = crowd.known.gold
    votes = crowd.votes.sum(0)
    if (gold < 0).all():
        return np.zeros((0, len(votes))), UNFITTED
    unseen = np.zeros_like(crowd.votes)
    for block in crowd.blocks:
        tasks, found = blind(crowd, block, correlation)
        unseen[tasks] = found
    fitted = fit(unseen[teaching], gold[teaching], votes)
    return fitted.apply(unseen[gold >= 0]), fitted


def _best(posterior: Floats, popularity: Floats) -> Ints:
    ties = posterior >= posterior.max(1, keepdims=True) - TIE
    best: Ints = np.where(ties, popularity, -1.0).argmax(1)
    return best
