"""Aggregators behind one face, and crowds whose truth is known, for what must hold of them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation import aggregate
from labeling.aggregation.answers import encode, gold_rows
from labeling.aggregation.probe import aggregate_with_features

Column = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """Answers in three columns, and what else is known: features and opinions by task."""

    task: Column
    worker: Column
    label: Column
    gold: Mapping[Any, Any] = field(default_factory=dict)
    classes: Sequence[Any] | None = None
    features: dict[Any, Floats] = field(default_factory=dict)
    model_probabilities: dict[Any, dict[Any, float]] = field(
        default_factory=dict
    )  # by task and class
    truth: Column = field(default_factory=lambda: np.zeros(0, np.int64))  # by task number

    def rows(self, rows: Any) -> tuple[Column, Column, Column]:
        return self.task[rows], self.worker[rows], self.label[rows]


@dataclass(frozen=True)
class Believed:
    tasks: Column
    classes: Column
    posterior: Floats

    def of(self, task: Any, label: Any) -> float:
        row, column = np.flatnonzero(self.tasks == task), np.flatnonzero(self.classes == label)
        return float(self.posterior[row[0], column[0]])

    def label(self) -> Column:
        labels: Column = self.classes[self.posterior.argmax(1)]
        return labels


Aggregator = Callable[[Said], Believed]


def majority(said: Said) -> Believed:
    """Shares of the votes, with half a vote more for each class."""
    more = [each for task, each in said.gold.items() if (said.task == task).any()]
    answers = encode(said.task, said.worker, said.label, classes=said.classes, also=more)
    votes = answers.votes() + 0.5
    gold = gold_rows(said.gold, answers)
    shares = np.where(np.isnan(gold), votes / votes.sum(1, keepdims=True), gold)
    return Believed(answers.tasks, answers.classes, shares)


def ours(said: Said) -> Believed:
    found = aggregate(said.task, said.worker, said.label, gold=said.gold, classes=said.classes)
    return Believed(found.tasks, found.classes, found.posterior)


def ours_with_opinions(said: Said) -> Believed:
    more = [each for task, each in said.gold.items() if (said.task == task).any()]
    answered = sorted({*said.label.tolist(), *more})
    classes = answered if said.classes is None else list(said.classes)
    opinions = {
        task: [chances.get(name, 0.01) for name in classes]
        for task, chances in said.model_probabilities.items()
    }
    columns = said.task, said.worker, said.label
    found = aggregate(*columns, gold=said.gold, classes=classes, model_probabilities=opinions)
    return Believed(found.tasks, found.classes, found.posterior)


def ours_with_features(said: Said) -> Believed:
    tasks = np.unique(said.task)
    missing = np.full(len(next(iter(said.features.values()), [0.0])), np.nan)
    features = np.array([said.features.get(task, missing) for task in tasks.tolist()])
    columns = said.task, said.worker, said.label
    found = aggregate_with_features(
        *columns, features, tasks=tasks, gold=said.gold, classes=said.classes, rounds=2
    )
    return Believed(found.tasks, found.classes, found.posterior)


def crowd_of(
    *, tasks: int, classes: int, skill: Sequence[float], share: float, seed: int, rare: float = 0.5
) -> Said:
    """Each worker answers `share` of the tasks and is right with a probability of her own.

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
    return Said(
        task,
        worker,
        np.where(right, truth[task], wrong),
        features=dict(enumerate(hints)),
        model_probabilities={
            i: dict(enumerate(row)) for i, row in enumerate(chances.tolist()) if i % 4
        },
        truth=truth,
    )
