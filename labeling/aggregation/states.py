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

from labeling.aggregation.answers import Answers, Floats
from labeling.aggregation.ids import Index

Places = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

SPLITS = 0.25, 0.5, 0.75  # share of the second class in a split state, for at most FEW classes
FEW, HALVES = 4, (0.5,)  # with more classes the middle is enough
CELLS = 10**6  # of all annotators' tables; beyond it rare splits are left out
BLOCK = 2**15  # tasks in a block; more where tables are large
REST = -1  # key of the group of tasks whose leading classes are rare, or more than two
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
class Groups:
    """T tasks in the order of their leading classes, and their N answers in the same order."""

    tasks: Places  # (T,)
    keys: Places  # (G,) first leading class · K + the last one; REST of those that share blocks
    sizes: Places  # (G,) tasks of each group
    ends: Places  # (T + 1,) where the answers of each task begin and end
    worker: Index  # (N,)
    label: npt.NDArray[Any]  # (N,)
    weight: Floats | None  # (N,); None where all weigh 1


@dataclass(frozen=True)
class Block:
    """n tasks to which the same s states are open."""

    tasks: Places  # (n,) index into the tasks
    answered: slice  # its answers among those of the groups, a task after the other
    worker: Index  # of these answers
    label: npt.NDArray[Any]
    answers: Any  # csr_array (n, M · K), the weight of each answer by table and label
    columns: Places  # (s,) index into the states
    closed: Bools | None  # (n, s) states that are not open to a task after all


def together(votes: Floats) -> Floats:
    """Return (K, K) how many tasks were given both classes, for votes (T, K)."""
    present = csr_array(votes > 0, dtype=np.float64)
    found: Floats = (present.T @ present).toarray()
    return found


def states(together: Floats, tables: int) -> States:
    """Return the states for classes (K, K) that were given together, as many as fit the tables."""
    k = len(together)
    classes = np.arange(k)
    first, second = _pairs(together, tables)
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


def groups(answers: Answers, votes: Floats, states: States, tables: int) -> Groups:
    """Return the tasks by their leading classes, those with the most votes (T, K).

    Tasks with the same one or two form a group where there are many of them; all others share one.
    """
    k = votes.shape[1]
    top = votes == votes.max(1, keepdims=True)
    lead, last, ties = top.argmax(1), k - 1 - top[:, ::-1].argmax(1), top.sum(1)
    key = np.where(ties <= 2, lead * k + last, REST)
    if len(states) == k:  # every state is open to every task
        key[:] = 0
    else:
        counts = np.bincount(key + 1, minlength=k * k + 1)
        few = counts < max(MIN_BLOCK, tables * k // 2)
        key[few[key + 1]] = REST
    order = np.argsort(key, kind="stable")
    keys, sizes = np.unique(key, return_counts=True)
    starts = np.searchsorted(answers.task, np.arange(len(answers.tasks) + 1))
    counts = np.diff(starts)[order]
    ends = np.concatenate([[0], np.cumsum(counts)])
    rows = np.arange(ends[-1]) + np.repeat(starts[order] - ends[:-1], counts)
    weight = None if answers.weight is None else answers.weight[rows]
    return Groups(order, keys, sizes, ends, answers.worker[rows], answers.label[rows], weight)


def blocks(
    groups: Groups,
    votes: Floats,
    states: States,
    *,
    table_of: Places,
    tables: int,
    kind: type[np.floating[Any]],
) -> list[Block]:
    """Return the groups in blocks.

    A split is open to a task where it holds a class with the most votes (T, K).

    table_of: (W,) the table of each annotator's answers.
    kind: of numbers in which answers are summed.
    """
    k, width = votes.shape[1], tables * votes.shape[1]
    cells = table_of.astype(np.int32)[groups.worker] * np.int32(k) + groups.label
    weight = groups.weight
    weight = np.ones(len(cells), kind) if weight is None else weight.astype(kind)
    every, made = np.arange(len(states)), []
    for key, start, stop in _stretches(groups, max(BLOCK, width // 4)):
        tasks, answered = groups.tasks[start:stop], slice(*groups.ends[[start, stop]].tolist())
        ends = (groups.ends[start : stop + 1] - answered.start).astype(np.int32)
        parts = weight[answered], cells[answered], ends
        columns = every if key == REST else states.touching([key // k, key % k])
        made.append(
            Block(
                tasks=tasks,
                answered=answered,
                worker=groups.worker[answered],
                label=groups.label[answered],
                answers=csr_array(parts, shape=(len(tasks), width)),
                columns=columns,
                closed=_closed(votes[tasks], states) if key == REST else None,
            )
        )
    return made


def _stretches(groups: Groups, largest: int) -> Iterator[tuple[int, int, int]]:
    """Yield the key of each block and where its tasks begin and end."""
    stop = 0
    for key, size in zip(groups.keys.tolist(), groups.sizes.tolist(), strict=True):
        for start in range(stop, stop + size, largest):
            yield key, start, min(start + largest, stop + size)
        stop += size


def _closed(votes: Floats, states: States) -> Bools:
    """Return (n, S) which states are not open to tasks with these votes (n, K)."""
    top = votes == votes.max(1, keepdims=True)
    closed: Bools = ~(top[:, states.first] | top[:, states.second])
    closed[:, : votes.shape[1]] = False
    return closed


def _pairs(together: Floats, tables: int) -> tuple[Places, Places]:
    """Return all pairs of classes, or as many as fit of those that most often occur together."""
    k = len(together)
    first, second = np.triu_indices(k, 1)
    room = max(0, (CELLS // (tables * k) - k) // len(SPLITS))
    if len(first) > room:
        counts = together[first, second]
        bar = np.sort(counts)[::-1][room] if room else np.inf
        first, second = first[counts > bar], second[counts > bar]
    return first, second
