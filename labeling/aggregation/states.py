"""The states that the truth of a task may take: one class, or a split between two classes.

Split states have answer tables of their own, so that a task on which good annotators disagree need
not be explained by making them bad.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation import levels
from labeling.aggregation.answers import Answers, Floats

Places = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

SPLITS = 0.25, 0.5, 0.75  # share of the second class in a split state, for at most FEW classes
FEW, HALVES = 4, (0.5,)  # with more classes the middle is enough
CELLS = 10**6  # of all annotators' tables; beyond it rare splits are left out
BLOCK = 2**15  # tasks in a block
MIN_BLOCK = 256  # tasks for which a block of their own pays; more where tables are large
PRECISE = 2 * 10**5  # answers up to which sums are kept in double precision


@dataclass(frozen=True)
class States:
    """S states: the K classes first, then the splits."""

    truth: Floats  # (S, K) share of each class in a state's truth
    first: Places  # (S,) the class, or the first of the two
    second: Places  # (S,) the class, or the second of the two
    share: Floats  # (S,) of the second class; 0 for a pure state

    def __len__(self) -> int:
        return len(self.first)

    def touching(self, classes: list[int]) -> Places:
        """Return the places of all pure states and of the splits that hold one of `classes`."""
        k = self.truth.shape[1]
        chosen = np.isin(self.first, classes) | np.isin(self.second, classes)
        chosen[:k] = True
        return np.flatnonzero(chosen)


@dataclass(frozen=True)
class Block:
    """n tasks to which the same s states are open."""

    tasks: Places  # (n,) index into the tasks
    rows: Places  # of its answers, a task after the other
    answers: Any  # csr_array (n, M · K), the weight of each answer by table and label
    columns: Places  # (s,) index into the states
    closed: Bools | None  # (n, s) states that are not open to a task after all


def states(votes: Floats, tables: int) -> States:
    """Return the states for votes (T, K), as many as fit so many tables."""
    k = votes.shape[1]
    classes = np.arange(k)
    first, second = _pairs(votes, tables)
    pure = np.eye(k)
    splits = SPLITS if k <= FEW else HALVES
    share = np.tile(splits, len(first))
    first, second = np.repeat(first, len(splits)), np.repeat(second, len(splits))
    split = (1 - share)[:, None] * pure[first] + share[:, None] * pure[second]
    return States(
        truth=np.concatenate([pure, split]),
        first=np.concatenate([classes, first]),
        second=np.concatenate([classes, second]),
        share=np.concatenate([np.zeros(k), share]),
    )


def blocks(answers: Answers, votes: Floats, states: States, places: levels.Places) -> list[Block]:
    """Return the tasks in blocks by their leading classes.

    A split is open to a task where it holds a class with the most votes (T, K).
    """
    kind = np.float64 if len(answers.task) <= PRECISE else np.float32
    starts = np.searchsorted(answers.task, np.arange(len(answers.tasks) + 1))
    cells = places.of[answers.worker] * votes.shape[1] + answers.label
    width = places.tables * votes.shape[1]
    made = []
    for tasks, columns, closed in _grouped(votes, states, max(MIN_BLOCK, width // 16)):
        counts = np.diff(starts)[tasks]
        ends = np.concatenate([[0], np.cumsum(counts)])
        rows = np.arange(ends[-1]) + np.repeat(starts[tasks] - ends[:-1], counts)
        values = np.ones(len(rows)) if answers.weight is None else answers.weight[rows]
        parts = values.astype(kind), cells[rows].astype(np.int32), ends.astype(np.int32)
        weighted = csr_array(parts, shape=(len(tasks), width))
        made.append(Block(tasks, rows, weighted, columns, closed))
    return made


def _pairs(votes: Floats, tables: int) -> tuple[Places, Places]:
    """Return all pairs of classes, or as many as fit of those that most often occur together."""
    k = votes.shape[1]
    first, second = np.triu_indices(k, 1)
    room = max(0, (CELLS // (tables * k) - k) // len(SPLITS))
    if len(first) > room:
        present = csr_array(votes > 0, dtype=np.float64)
        together = (present.T @ present)[first, second]
        together = np.asarray(together.todense() if hasattr(together, "todense") else together)
        together = together.ravel()
        bar = np.sort(together)[::-1][room] if room else np.inf
        first, second = first[together > bar], second[together > bar]
    return first, second


def _grouped(
    votes: Floats, states: States, smallest: int
) -> Iterator[tuple[Places, Places, Bools | None]]:
    """Yield (tasks, columns, closed) of at most BLOCK tasks each.

    Tasks with the same one or two leading classes form blocks of their own where there are at
    least `smallest` of them; all others share blocks with every state, where `closed` tells which.
    """
    k = votes.shape[1]
    top = votes == votes.max(1, keepdims=True)
    lead, last, ties = top.argmax(1), k - 1 - top[:, ::-1].argmax(1), top.sum(1)
    key = np.where(ties <= 2, lead * k + last, -1)
    if len(states) == k:
        key[:] = 0
    keys, index, counts = np.unique(key, return_inverse=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    groups = np.split(order, np.cumsum(counts)[:-1])
    rest: list[Places] = []
    for name, tasks in zip(keys.tolist(), groups, strict=True):
        if len(states) > k and (name < 0 or len(tasks) < smallest):
            rest.append(tasks)
            continue
        columns = states.touching([name // k, name % k])
        for start in range(0, len(tasks), BLOCK):
            yield tasks[start : start + BLOCK], columns, None
    if rest:
        tasks = np.sort(np.concatenate(rest))
        every = np.arange(len(states))
        for start in range(0, len(tasks), BLOCK):
            part = tasks[start : start + BLOCK]
            closed = ~(top[part][:, states.first] | top[part][:, states.second])
            closed[:, :k] = False
            yield part, every, closed
