"""How often inferred labels are right, judged by their own gold: by cross-fitting.

Gold teaches the crowd, so its own labels are better than others. `Aggregate.leave_one_out` takes a
task's share out of its annotators' tables, at no cost; what other tasks learned from its gold
stays. Here gold is dealt into folds, and the crowd is learned without each of them: what is then
said of its tasks knows nothing of their truth (V. Chernozhukov et al., "Double/debiased machine
learning", The Econometrics Journal 21, 2018).

The crowd is learned once without any gold. From there each fold goes on for a few rounds with the
gold of the others, so that none of its own has ever been known.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats, Ints, encode
from labeling.aggregation.dawid_skene import ITERATIONS, ODD, Fitted, fit_crowd
from labeling.aggregation.em import THREADS, Crowd, Known, Part
from labeling.aggregation.gold import without_gold
from labeling.aggregation.label_accuracy import Judgements, LabelAccuracy, Labels, estimate

FOLDS = 10  # at most
ROUNDS = 3  # of EM with gold, from where EM without any has ended

Gold = Mapping[Any, Any]  # task id → class id


def label_accuracies(
    labels: Labels, blind: Floats, truth: Ints
) -> tuple[LabelAccuracy | None, list[LabelAccuracy | None]]:
    """Return how often the labels of tasks without gold are right: of all, and by class (K,).

    labels: those of the tasks without gold, in groups by class.
    blind: (G, K) posteriors of tasks with gold, drawn at random, that know nothing of it.
    truth: (G,) their gold. None where too few of the labels have gold.
    """
    judged, confidence = blind.argmax(1), blind.max(1).clip(0, 1)
    right = judged == truth

    def of(label: int | None) -> LabelAccuracy | None:
        own = labels.group == label if label is not None else np.ones(len(labels.group), bool)
        shown = judged == label if label is not None else np.ones(len(judged), bool)
        count = None if labels.count is None else labels.count[own]
        said = Labels(labels.confidence[own], np.zeros(int(own.sum()), np.intp), count)
        known = Labels(confidence[shown], np.zeros(int(shown.sum()), np.intp))
        return estimate(said, Judgements(known, right[shown]))

    return of(None), [of(label) for label in range(blind.shape[1])]


def blind_posteriors(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    *,
    gold: Gold,
    classes: Sequence[Any],
) -> Floats:
    """Return (G, K) what is inferred of tasks with gold, in its order, without that of their fold.

    The columns and classes are those of `aggregate`. Folds depend on the sorted ids of the tasks.
    Raises ValueError without gold, and for gold of a task that has no answers.
    """
    answers = encode(task, worker, label, classes=classes)
    places = {name: row for row, name in enumerate(answers.tasks.tolist())}
    if not gold:
        raise ValueError("there is no gold")
    if missing := gold.keys() - places.keys():
        raise ValueError(f"task {min(missing)!r} has gold, but no answers")
    codes = {name: code for code, name in enumerate(answers.classes.tolist())}
    rows = np.array([places[name] for name in gold])
    truth = np.full(len(places), -1)
    truth[rows] = [codes[name] for name in gold.values()]
    fold = np.full(len(places), -1)
    fold[np.sort(rows)] = folds(len(rows))
    start = fit_crowd(answers, answers.votes(), Known(np.full(len(places), -1)))
    found = np.zeros((len(places), len(codes)))

    def infer(number: int) -> None:
        known = np.where(fold == number, -1, truth)
        found[fold == number] = _without(start, known, np.flatnonzero(fold == number))

    with ThreadPoolExecutor(THREADS if start.crowd.precise else 1) as pool:
        list(pool.map(infer, range(min(FOLDS, len(rows)))))
    blind: Floats = found[rows]
    return blind


def folds(count: int) -> Ints:
    """Return (count,) the fold of each of so many tasks with gold, sorted by id."""
    dealt: Ints = np.random.default_rng(0).permutation(count) % FOLDS
    return dealt


def _without(start: Part, known: npt.NDArray[np.intp], blind: Ints) -> Floats:
    """Return (n, K) posteriors of tasks that are blind, by the gold (T,) that is known.

    start: with the crowd that knows no gold.
    """
    gone_on = _part(start, deepcopy(start.crowd), known)
    for _ in range(ROUNDS):
        gone_on.crowd.update(gone_on.sums())
    fitted = Fitted.of(gone_on, known >= 0)
    if (known >= 0).any() and fitted.log_score()[1] >= ODD:
        by_gold = _part(start, Crowd(start.crowd.totals), known)
        by_gold.crowd.fit(by_gold.first_sums(by_gold=True), by_gold.sums, ITERATIONS)
        fitted = fitted.likelier(Fitted.of(by_gold, known >= 0))
    part, likelihoods = fitted.part, fitted.part.likelihoods()
    found = np.zeros_like(part.votes)
    for block in part.blocks:
        (rows,) = np.nonzero(np.isin(block.tasks, blind))
        posteriors = without_gold(part, block, rows, likelihoods, fitted.correlation)
        found[block.tasks[rows]] = posteriors
    return fitted.calibration().apply(found[blind])


def _part(start: Part, crowd: Crowd, gold: npt.NDArray[np.intp]) -> Part:
    """Return the same tasks, as another crowd explains them, with gold."""
    return Part(crowd, start.groups, start.votes, Known(gold), threads=start.threads)
