"""A crowd together with probes on features of the tasks, in alternation.

The probes learn from people's answers by the tables of the annotators, out of fold; together with
them they are one more annotator, from whose guess EM begins: where people answer a task once, only
features can tell whose errors are whose.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answer_probe import AnswerProbe
from labeling.aggregation.answers import Answers, Floats, encode, gold_rows
from labeling.aggregation.dawid_skene import Aggregate, aggregate
from labeling.aggregation.kernel_probe import KernelProbe
from labeling.aggregation.probe import Singles, folds_of, hashes, softmax

LEAST = 1e-9  # probability
PRIOR = 1.0, 0.5  # of the linear probe's weight: mean and standard deviation
KERNEL_PRIOR = 0.0, 1.0  # of the kernel's, whose scores have a mean square of one


def aggregate_with_features(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    features: npt.ArrayLike,
    *,
    tasks: npt.ArrayLike | None = None,
    gold: Mapping[Any, Any] | None = None,
    classes: Sequence[Any] | None = None,
    rounds: int = 2,
    folds: int = 5,
    seed: int = 0,
) -> Aggregate:
    """Return `aggregate` with probes on features as one more annotator, in alternation.

    In each round the probes learn from people's answers, as far as the annotators' tables believe
    them, and their out-of-fold probabilities count as far as they agree with these answers
    (`Aggregate.model_weight`).

    features: (T, D), one row for each of `tasks` (all sorted task ids by default); a row may hold
        NaN where there are none. Rows of tasks without answers are left out.

    The other arguments and errors are those of `aggregate`.
    """
    if folds < 2:
        raise ValueError(f"a probe needs two folds or more, not {folds}")
    result = aggregate(task, worker, label, gold=gold, classes=classes)
    rows = _rows_of(result.tasks, np.asarray(features, np.float32), tasks)
    if len(result.classes) == 1:
        return result
    known: dict[str, Any] = {"gold": gold, "classes": result.classes.tolist()}
    answers = encode(task, worker, label, classes=known["classes"])
    (usable,) = np.nonzero(np.isfinite(rows).all(1))
    usable = usable[np.argsort(hashes(rows[usable], seed), kind="stable")]  # whatever the names are
    if len(usable) < folds:
        return result
    probes = _Probes(rows[usable], folds, seed)
    for _ in range(rounds):
        likelihood = _likelihood(result, answers, gold)
        predicted = np.full(likelihood.shape, np.nan)
        predicted[usable] = probes.predict(likelihood[usable], result.posterior[usable])
        start = np.where(np.isnan(predicted), result.posterior, predicted * likelihood)
        known |= {"model_probabilities": predicted, "start": start}
        result = aggregate(task, worker, label, **known)
    return result


class _Probes:
    """A linear and a kernel probe on the same rows (n, D), both out of the same folds."""

    def __init__(self, rows: Singles, folds: int, seed: int) -> None:
        self._rows, self._folds, self._seed = rows, folds, seed
        fold = folds_of(rows, folds, seed)
        self._kernel = KernelProbe(rows, fold, folds=folds, seed=seed)

    def predict(self, likelihood: Floats, posterior: Floats) -> Floats:
        """Return class probabilities (n, K), for likelihoods of the answers and the posterior."""
        linear = AnswerProbe(self._rows, likelihood, folds=self._folds, seed=self._seed)
        scores = self._kernel.out_of_fold(posterior)
        scores /= np.sqrt(np.mean(np.square(scores))) + LEAST
        return _blend(np.log(linear.out_of_fold.clip(LEAST)), scores, likelihood)


def _blend(linear: Floats, kernel: Floats, likelihood: Floats) -> Floats:
    """Return softmax(a · linear + b · kernel) (n, K) under which the answers are likeliest.

    As they are of rows that the probes were not fitted to, this calibrates them as well.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    seen = np.stack([linear, kernel])
    mean, deviation = np.transpose([PRIOR, KERNEL_PRIOR])

    def loss(weights: Floats) -> tuple[float, Floats]:
        chances = softmax(np.tensordot(weights, seen, 1))
        joint = chances * likelihood
        total = joint.sum(1, keepdims=True).clip(min=np.finfo(float).tiny)
        away = (weights - mean) / deviation
        gradient = np.einsum("nk,jnk->j", chances - joint / total, seen) + away / deviation
        return -float(np.log(total).sum()) + float(away @ away) / 2, gradient

    found = minimize(loss, mean, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(mean))
    blended: Floats = softmax(np.tensordot(found.x, seen, 1))
    return blended


def _likelihood(result: Aggregate, answers: Answers, gold: Mapping[Any, Any] | None) -> Floats:
    """Return (T, K) the likelihood of each task's answers by class, 1 at most; gold is certain."""
    logs = np.log(result.tables)  # (M, truth, answer)
    given = logs[result.table_of[answers.worker], :, answers.label]  # (N, K)
    weight = np.ones(len(given)) if answers.weight is None else answers.weight
    total = np.stack(
        [np.bincount(answers.task, weight * each, len(result.tasks)) for each in given.T], 1
    )
    likelihood: Floats = np.exp(total - total.max(1, keepdims=True))
    present = {name: gold[name] for name in result.tasks.tolist() if name in gold} if gold else {}
    if present:
        truths = gold_rows(present, answers)
        likelihood = np.where(np.isnan(truths), likelihood, truths)
    return likelihood


def _rows_of(ids: npt.NDArray[Any], rows: Singles, tasks: npt.ArrayLike | None) -> Singles:
    """Return the rows of features in the order of `ids`."""
    if tasks is None:
        if len(rows) != len(ids):
            raise ValueError(f"there are {len(ids)} tasks, but {len(rows)} rows of features")
        return rows
    named = {name: row for row, name in enumerate(np.asarray(tasks).tolist())}
    if len(named) != len(rows):
        raise ValueError(f"{len(named)} different tasks are named for {len(rows)} rows of features")
    places = [named.get(name, -1) for name in ids.tolist()]
    if -1 in places:
        raise ValueError(f"task {ids[places.index(-1)]!s} has no row of features")
    ordered: Singles = rows[places]
    return ordered
