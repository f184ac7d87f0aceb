"""Answers as three columns of any ids, and what is known beforehand, turned into arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """N distinct answers, at most one per (task, worker), sorted by task and then worker."""

    tasks: npt.NDArray[Any]  # (T,) sorted ids
    workers: npt.NDArray[Any]  # (W,) sorted ids
    classes: npt.NDArray[Any]  # (K,) sorted ids
    task: Ints  # (N,) index into tasks
    worker: Ints  # (N,) index into workers
    label: Ints  # (N,) index into classes

    def votes(self) -> Floats:
        """How many answers of each class each task has: (T, K)."""
        shape = len(self.tasks), len(self.classes)
        cells = self.task * shape[1] + self.label
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def encode(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    *,
    classes: Sequence[Any] | None = None,
    also: Sequence[Any] = (),
) -> Answers:
    """Index three columns of equal length. A worker's last answer to a task is the one that counts.

    `classes` names the classes beforehand; without it they are those answered and those in `also`.
    Raises ValueError if the columns do not fit together or hold something that cannot be sorted.
    """
    columns = [np.asarray(column) for column in (task, worker, label)]
    if any(column.ndim != 1 for column in columns) or len({len(c) for c in columns}) != 1:
        raise ValueError("task, worker and label must be flat and of the same length")
    if not len(columns[0]):
        raise ValueError("there are no answers")
    if any(column.dtype.kind == "f" and np.isnan(column).any() for column in columns):
        raise ValueError("task, worker and label must not hold NaN")
    tasks, task_index = _index(columns[0], "task")
    workers, worker_index = _index(columns[1], "worker")
    if classes is None:
        known = columns[2] if not len(also) else _joined(columns[2], also)
        class_ids, label_index = _index(known, "label")
        label_index = label_index[: len(columns[2])]
    else:
        class_ids, label_index = _among(columns[2], np.unique(np.asarray(classes)))
    # np.unique keeps the first of equals: of the reversed rows, hence the last answer.
    cells = task_index * len(workers) + worker_index
    last = len(cells) - 1 - np.unique(cells[::-1], return_index=True)[1]
    return Answers(
        tasks, workers, class_ids, task_index[last], worker_index[last], label_index[last]
    )


def gold_rows(gold: Mapping[Any, Any], answers: Answers) -> Floats:
    """One-hot rows (T, K) for the tasks in `gold`, task id → class id; NaN for the others."""
    rows = np.full((len(answers.tasks), len(answers.classes)), np.nan)
    task_index = {task: i for i, task in enumerate(answers.tasks.tolist())} if gold else {}
    class_index = {name: i for i, name in enumerate(answers.classes.tolist())}
    for task, name in gold.items():
        if name not in class_index:
            raise ValueError(f"the gold class {name!s} of task {task!s} is not among the classes")
        rows[task_index[task]] = 0.0
        rows[task_index[task], class_index[name]] = 1.0
    return rows


def prior_rows(
    prior: npt.ArrayLike | Mapping[Any, Sequence[float]] | None, answers: Answers
) -> Floats:
    """Rows (T, K) that sum to one, or NaN where the prior does not speak of the task."""
    shape = len(answers.tasks), len(answers.classes)
    if prior is None:
        return np.full(shape, np.nan)
    if isinstance(prior, Mapping):
        unknown = [np.nan] * shape[1]
        given = [list(prior.get(task, unknown)) for task in answers.tasks.tolist()]
        if any(len(row) != shape[1] for row in given):
            raise ValueError(f"a prior must hold {shape[1]} numbers, one a class")
        rows = np.array(given, np.float64)
    else:
        rows = np.array(prior, np.float64)
    if rows.shape != shape:
        raise ValueError(f"the prior is {rows.shape}, but tasks × classes are {shape}")
    total = rows.sum(1, keepdims=True)
    if (rows < 0).any() or np.isinf(total).any() or (total == 0).any():
        raise ValueError("a prior must hold probabilities, with more than zero in each row")
    fractions: Floats = rows / total
    return fractions


def _index(column: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[Any], Ints]:
    try:
        ids, index = np.unique(column, return_inverse=True)
    except TypeError:
        raise ValueError(f"the {name} column mixes kinds of ids that cannot be sorted") from None
    return ids, index.astype(np.intp)


def _joined(labels: npt.NDArray[Any], more: Sequence[Any]) -> npt.NDArray[Any]:
    extra = np.asarray(more)
    _check_same_kind(labels, extra, "gold classes")
    return np.concatenate([labels, extra])


def _among(labels: npt.NDArray[Any], classes: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Ints]:
    if not len(classes):
        raise ValueError("there must be at least one class")
    _check_same_kind(labels, classes, "classes")
    index = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    unknown = classes[index] != labels
    if unknown.any():
        raise ValueError(f"the label {labels[unknown][0]!s} is not among the classes")
    return classes, index.astype(np.intp)


def _check_same_kind(labels: npt.NDArray[Any], ids: npt.NDArray[Any], name: str) -> None:
    if (labels.dtype.kind in "US") != (ids.dtype.kind in "US"):
        raise ValueError(f"labels and {name} must both be text, or neither")
