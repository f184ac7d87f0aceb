"""Answers as three columns of any ids, turned into indices, once for all statistics."""

from collections.abc import Sequence
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


def _index(column: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[Any], Ints]:
    try:
        ids, index = np.unique(column, return_inverse=True)
    except TypeError:
        raise ValueError(f"the {name} column mixes kinds of ids that cannot be sorted") from None
    return ids, index.astype(np.intp)


def _joined(labels: npt.NDArray[Any], more: Sequence[Any]) -> npt.NDArray[Any]:
    extra = np.asarray(list(more))
    if (labels.dtype.kind in "US") != (extra.dtype.kind in "US"):
        raise ValueError("the gold classes are not of the same kind as the labels")
    return np.concatenate([labels, extra])


def _among(labels: npt.NDArray[Any], classes: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Ints]:
    index = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    unknown = classes[index] != labels
    if unknown.any():
        raise ValueError(f"the label {labels[unknown][0]!s} is not among the classes")
    return classes, index.astype(np.intp)
