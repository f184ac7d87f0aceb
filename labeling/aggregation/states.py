"""What the truth of a task may be: one class, or split between two that people waver between.

A split state has answer tables of its own, so that a task on which good annotators disagree need
not be explained by making them bad.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from labeling.aggregation.answers import Answers, Floats

Places = npt.NDArray[np.intp]
SPLITS = 0.25, 0.5, 0.75  # share of the second class in a split state …
FEW, HALVES = 4, (0.5,)  # … of so few classes; of more, the middle is enough
CELLS = 10**7  # of all annotators' tables: where there are more, rare splits are left out
BLOCK = 2**15  # tasks at a time
FEWEST = 256  # tasks for which a block of their own pays, and more where tables are large
PRECISE = 2 * 10**5  # answers up to which sums are kept in double precision


@dataclass(frozen=True)
class States:
    """S states: K classes first, then the splits."""

    truth: Floats  # (S, K) share of each class in a state's truth
    first: Places  # (S,) the class, or the first of the two
    second: Places  # (S,) the same, or the second
    share: Floats  # (S,) of the second

    def __len__(self) -> int:
        return len(self.first)

    def touching(self, classes: list[int]) -> Places:
        """The classes, and the splits that hold one of `classes`."""
        k = self.truth.shape[1]
        held = np.isin(self.first, classes) | np.isin(self.second, classes)
        held[:k] = True
        return np.flatnonzero(held)


@dataclass(frozen=True)
class Block:
    """n tasks to which the same states are open."""

    tasks: Places  # (n,) index into the tasks
    said: Any  # csr_array (n, W · K): the answers, one-hot
    columns: Places  # (s,) of the states
    shut: npt.NDArray[np.bool_] | None  # (n, s) states that are not open to a task after all


def states(votes: Floats, workers: int) -> States:
    """The states that votes (T, K) and the number of annotators allow."""
    k = votes.shape[1]
    classes = np.arange(k)
    first, second = _pairs(votes, workers)
    truth = np.eye(k)
    splits = SPLITS if k <= FEW else HALVES
    share = np.tile(splits, len(first))
    first, second = np.repeat(first, len(splits)), np.repeat(second, len(splits))
    split = (1 - share)[:, None] * truth[first] + share[:, None] * truth[second]
    return States(
        truth=np.concatenate([truth, split]),
        first=np.concatenate([classes, first]),
        second=np.concatenate([classes, second]),
        share=np.concatenate([np.zeros(k), share]),
    )


def blocks(answers: Answers, votes: Floats, among: States) -> list[Block]:
    """The tasks by their leading classes: a split is open where it holds a leading class."""
    kind = np.float64 if len(answers.task) <= PRECISE else np.float32
    starts = np.searchsorted(answers.task, np.arange(len(answers.tasks) + 1))
    cells = answers.worker.astype(np.int64) * votes.shape[1] + answers.label
    shape = len(answers.workers) * votes.shape[1]
    found = []
    for tasks, columns, shut in _grouped(votes, among, max(FEWEST, shape // 16)):
        counts = np.diff(starts)[tasks]
        ends = np.concatenate([[0], np.cumsum(counts)])
        rows = np.arange(ends[-1]) + np.repeat(starts[tasks] - ends[:-1], counts)
        parts = np.ones(len(rows), kind), cells[rows].astype(np.int32), ends.astype(np.int32)
        said = csr_array(parts, shape=(len(tasks), shape))
        found.append(Block(tasks, said, columns, shut))
    return found


def _pairs(votes: Floats, workers: int) -> tuple[Places, Places]:
    """Pairs of classes: all, or as many of those that most often occur together as may be."""
    k = votes.shape[1]
    first, second = np.triu_indices(k, 1)
    most = max(0, (CELLS // (workers * k) - k) // len(SPLITS))
    if len(first) > most:
        there = csr_array(votes > 0, dtype=np.float64)
        together = (there.T @ there)[first, second]
        together = np.asarray(together.todense() if hasattr(together, "todense") else together)
        together = together.ravel()
        bar = np.sort(together)[::-1][most] if most else np.inf
        first, second = first[together > bar], second[together > bar]
    return first, second


def _grouped(
    votes: Floats, among: States, fewest: int
) -> Iterator[tuple[Places, Places, npt.NDArray[np.bool_] | None]]:
    """(tasks, columns, shut): at most BLOCK tasks, and alone only with as many as `fewest`."""
    k = votes.shape[1]
    top = votes == votes.max(1, keepdims=True)
    lead, last, ties = top.argmax(1), k - 1 - top[:, ::-1].argmax(1), top.sum(1)
    key = np.where(ties <= 2, lead * k + last, -1)
    if len(among) == k:
        key[:] = 0
    keys, index, counts = np.unique(key, return_inverse=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    groups = np.split(order, np.cumsum(counts)[:-1])
    rest: list[Places] = []
    for name, tasks in zip(keys.tolist(), groups, strict=True):
        if len(among) > k and (name < 0 or len(tasks) < fewest):
            rest.append(tasks)
            continue
        columns = among.touching([name // k, name % k])
        for start in range(0, len(tasks), BLOCK):
            yield tasks[start : start + BLOCK], columns, None
    if rest:
        tasks = np.sort(np.concatenate(rest))
        every = np.arange(len(among))
        for start in range(0, len(tasks), BLOCK):
            part = tasks[start : start + BLOCK]
            shut = ~(top[part][:, among.first] | top[part][:, among.second])
            shut[:, :k] = False
            yield part, every, shut
