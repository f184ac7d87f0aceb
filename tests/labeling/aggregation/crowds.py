"""Aggregators with one interface, and crowds of known truth, for the invariants of them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation import aggregate
from labeling.aggregation.answers import encode, gold_rows
from labeling.aggregation.with_features import aggregate_with_features

TASKS, WIDTH, CLASSES = 600, 16, 3  # of the fixture `seen`

Column = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CrowdData:
    """Answers in three columns, and what else is known."""

    task: Column
    worker: Column
    label: Column
    gold: Mapping[Any, Any] = field(default_factory=dict)
    classes: Sequence[Any] | None = None
    features: dict[Any, Floats] = field(default_factory=dict)
    # By task and class.
    model_probabilities: dict[Any, dict[Any, float]] = field(default_factory=dict)
    truth: Column = field(default_factory=lambda: np.zeros(0, np.int64))  # by task number

    def rows(self, rows: Any) -> tuple[Column, Column, Column]:
        return self.task[rows], self.worker[rows], self.label[rows]


@dataclass(frozen=True)
class Posterior:
    tasks: Column
    classes: Column
    posterior: Floats

    def of(self, task: Any, label: Any) -> float:
        row, column = np.flatnonzero(self.tasks == task), np.flatnonzero(self.classes == label)
        return float(self.posterior[row[0], column[0]])

    def label(self) -> Column:
        labels: Column = self.classes[self.posterior.argmax(1)]
        return labels


Aggregator = Callable[[CrowdData], Posterior]


def majority(data: CrowdData) -> Posterior:
    """Return shares of the votes, with half a vote more for each class."""
    more = [each for task, each in data.gold.items() if (data.task == task).any()]
    answers = encode(data.task, data.worker, data.label, classes=data.classes, also=more)
    votes = answers.votes() + 0.5
    gold = gold_rows(data.gold, answers)
    shares = np.where(np.isnan(gold), votes / votes.sum(1, keepdims=True), gold)
    return Posterior(answers.tasks, answers.classes, shares)


def ours(data: CrowdData) -> Posterior:
    result = aggregate(data.task, data.worker, data.label, gold=data.gold, classes=data.classes)
    return Posterior(result.tasks, result.classes, result.posterior)


def ours_with_model(data: CrowdData) -> Posterior:
    more = [each for task, each in data.gold.items() if (data.task == task).any()]
    answered = sorted({*data.label.tolist(), *more})
    classes = answered if data.classes is None else list(data.classes)
    predictions = {
        task: [chances.get(name, 0.01) for name in classes]
        for task, chances in data.model_probabilities.items()
    }
    columns = data.task, data.worker, data.label
    result = aggregate(*columns, gold=data.gold, classes=classes, model_probabilities=predictions)
    return Posterior(result.tasks, result.classes, result.posterior)


def ours_with_features(data: CrowdData) -> Posterior:
    tasks = np.unique(data.task)
    missing = np.full(len(next(iter(data.features.values()), [0.0])), np.nan)
    features = np.array([data.features.get(task, missing) for task in tasks.tolist()])
    columns = data.task, data.worker, data.label
    result = aggregate_with_features(
        *columns, features, tasks=tasks, gold=data.gold, classes=data.classes, rounds=2
    )
    return Posterior(result.tasks, result.classes, result.posterior)


def crowd_of(
    *, tasks: int, classes: int, skill: Sequence[float], share: float, seed: int, rare: float = 0.5
) -> CrowdData:
    """Return answers of workers to a `share` of the tasks each, right with probability `skill`.

    Two classes: the second is true of a `rare` part of the tasks. Features hint at the truth.
    """
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=tasks)
    if classes == 2:
        truth = (rng.random(tasks) < rare).astype(np.int64)
    task, worker = np.nonzero(rng.random((tasks, len(skill))) < share)
    right = rng.random(len(task)) < np.asarray(skill)[worker]
    wrong = (truth[task] + rng.integers(1, classes, size=len(task))) % classes
    hints = np.eye(classes)[truth] + rng.normal(0, 1, (tasks, classes))
    chances = np.exp(hints) / np.exp(hints).sum(1, keepdims=True)
    return CrowdData(
        task,
        worker,
        np.where(right, truth[task], wrong),
        features=dict(enumerate(hints)),
        model_probabilities={
            i: dict(enumerate(row)) for i, row in enumerate(chances.tolist()) if i % 4
        },
        truth=truth,
    )
