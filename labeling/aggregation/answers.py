"""Encode answers, given as three columns of ids, and known truths and priors as arrays.

T tasks, W workers, K classes and N answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation.ids import Column, Index, column, index

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

LARGEST = 2 * 10**8  # cells of a table of tasks × classes: 1.6 GB


@dataclass(frozen=True)
class Answers:
    """N distinct answers, at most one per (task, worker), sorted by task and then worker."""

    tasks: Column  # (T,) sorted ids
    workers: Column  # (W,) sorted ids
    classes: Column  # (K,) sorted ids
    task: Index  # (N,) index into tasks
    worker: Index  # (N,) index into workers
    label: Index  # (N,) index into classes
    weight: Floats | None = None  # (N,) of each answer, above 0; None: all weigh 1

    def votes(self) -> Floats:
        """Return (T, K) the weight of answers by task and class. Raises ValueError if too large."""
        tasks, k = len(self.tasks), len(self.classes)
        if tasks * k > LARGEST:
            raise ValueError(
                f"{k:,} classes times {tasks:,} tasks are too many for one table: labels "
                "must be classes, not free text"
            )
        cells = self.task * np.int32(k) + self.label
        votes = np.bincount(cells, self.weight, tasks * k)
        return votes.reshape(tasks, k).astype(np.float64)


def encode(
    task: npt.ArrayLike,
    worker: npt.ArrayLike,
    label: npt.ArrayLike,
    *,
    classes: Sequence[Any] | None = None,
    also: Sequence[Any] = (),
    weight: npt.ArrayLike | None = None,
) -> Answers:
    """Index three columns of N ids. Of several answers of a worker to a task the last one counts.

    weight: (N,) of the answers, above 0 and at most 1; without it all weigh 1.

    Ids are of any kind that can be sorted: text, numbers, dates, truth values; one kind a column.
    `classes` names the classes; without it they are those answered and those in `also`. Takes time
    linear in N for text and for integers without wide gaps. Raises ValueError where the columns do
    not fit together or hold something that cannot be an id.
    """
    columns = [column(task, "task"), column(worker, "worker"), column(label, "label")]
    if len({len(each) for each in columns}) != 1:
        raise ValueError("task, worker and label must be of the same length")
    if not len(columns[0]):
        raise ValueError("there are no answers")
    tasks, task_index = index(columns[0], "task")
    workers, worker_index = index(columns[1], "worker")
    labels, label_index = index(columns[2], "label")
    if classes is not None:
        labels, place = _among(labels, classes)
        label_index = place[label_index]
    elif len(also):
        labels, place = _joined(labels, also)
        label_index = place[label_index]
    rows = last_rows(task_index, worker_index, len(tasks), len(workers))
    weights = None if weight is None else _weights(weight, len(task_index))
    if rows is not None:
        task_index, worker_index = task_index[rows], worker_index[rows]
        label_index = label_index[rows]
        weights = None if weights is None else weights[rows]
    return Answers(tasks, workers, labels, task_index, worker_index, label_index, weights)


def gold_rows(gold: Mapping[Any, Any], answers: Answers) -> Floats:
    """Return one-hot rows (T, K) for the tasks in `gold`, task id → class id; else NaN.

    Tasks without answers are left out. Raises ValueError for a class that is not among the classes.
    """
    rows = np.full((len(answers.tasks), len(answers.classes)), np.nan)
    places = {name: i for i, name in enumerate(answers.classes.tolist())}
    known = {task: row for row, task in enumerate(answers.tasks.tolist()) if task in gold}
    for task, row in known.items():
        if gold[task] not in places:
            raise ValueError(
                f"the gold class {gold[task]!s} of task {task!s} is not among the classes"
            )
        rows[row] = 0.0
        rows[row, places[gold[task]]] = 1.0
    return rows


def prior_rows(
    prior: npt.ArrayLike | Mapping[Any, Sequence[float]] | None,
    answers: Answers,
    *,
    name: str = "prior",
) -> Floats:
    """Return rows (T, K) that sum to one, or are NaN where there is no prior for the task.

    Tasks of a mapping that have no answers are left out. `name` stands in error messages. Raises
    ValueError for rows that are no probabilities: other than K numbers, some NaN but not all,
    negative, infinite, all zero.
    """
    shape = len(answers.tasks), len(answers.classes)
    if prior is None:
        return np.full(shape, np.nan)
    if isinstance(prior, Mapping):
        unknown = [np.nan] * shape[1]
        given = [prior.get(task, unknown) for task in answers.tasks.tolist()]
        if any(np.shape(row) != shape[1:] for row in given):
            raise ValueError(f"the {name} of a task must hold {shape[1]} numbers, one a class")
    try:
        rows = np.array(given if isinstance(prior, Mapping) else prior, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"the {name} must hold nothing but numbers, one a class") from None
    if rows.shape != shape:
        raise ValueError(f"the {name} is {rows.shape}, but tasks × classes are {shape}")
    missing = np.isnan(rows)
    with np.errstate(over="ignore"):
        total = rows.sum(1, keepdims=True)
    bad = (missing.any(1) & ~missing.all(1)) | (rows < 0).any(1) | np.isinf(total[:, 0])
    bad |= total[:, 0] == 0
    if bad.any():
        raise ValueError(
            f"the {name} of task {answers.tasks[bad.argmax()]!s} does not hold probabilities: "
            "numbers of zero or more, not all zero, none or all of them NaN"
        )
    fractions: Floats = rows / total
    return fractions


def _weights(weight: npt.ArrayLike, count: int) -> Floats:
    weights = np.asarray(weight, np.float64)
    if weights.shape != (count,) or not ((weights > 0) & (weights <= 1)).all():
        raise ValueError(f"weight must hold {count} numbers above 0 and at most 1")
    return weights


def last_rows(task: Index, worker: Index, tasks: int, workers: int) -> Index | None:
    """Return the rows that count, sorted by task and worker; None where all are, and sorted.

    Two stable counting sorts keep the last of several rows of a pair last.
    """
    same = task[1:] == task[:-1]
    if ((task[1:] > task[:-1]) | (same & (worker[1:] > worker[:-1]))).all():
        return None
    rows = _counting_sort(worker, workers)
    rows = rows[_counting_sort(task[rows], tasks)]
    task, worker = task[rows], worker[rows]
    repeated = (task[1:] == task[:-1]) & (worker[1:] == worker[:-1])
    return rows[np.append(~repeated, True)] if repeated.any() else rows


def _counting_sort(keys: Index, size: int) -> Index:
    """Return the stable order of keys below `size`, in linear time: a sparse matrix, transposed."""
    count = len(keys)
    ones, starts = np.ones(count, np.int8), np.arange(count + 1, dtype=np.int32)
    order: Index = csr_array((ones, keys, starts), shape=(count, size)).tocsc().indices
    return order


def _joined(labels: Column, more: Sequence[Any]) -> tuple[Column, Index]:
    """Return all classes, and the place of each label among them."""
    extra, _ = index(column(list(more), "gold classes"), "gold classes")
    _check_same_kind(labels, extra, "gold classes")
    ids, places = index(column(labels.tolist() + extra.tolist(), "label"), "label")
    return ids, places[: len(labels)]


def _among(labels: Column, classes: Sequence[Any]) -> tuple[Column, Index]:
    """Return the given classes, sorted, and the place of each label among them."""
    ids, _ = index(column(classes, "classes"), "classes")
    if not len(ids):
        raise ValueError("there must be at least one class")
    _check_same_kind(labels, ids, "classes")
    places = {each: i for i, each in enumerate(ids.tolist())}
    for label in labels.tolist():
        if label not in places:
            raise ValueError(f"the label {label!s} is not among the classes")
    return ids, np.array([places[label] for label in labels.tolist()], np.int32)


def _check_same_kind(labels: Column, ids: Column, name: str) -> None:
    if isinstance(labels[0], str) != isinstance(ids[0], str):
        raise ValueError(f"labels and {name} must both be text, or neither")
