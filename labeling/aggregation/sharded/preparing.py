"""Files of answers → a shard: one process's share of the tasks, as arrays in a folder.

All answers to a task are in one shard. Where the files have them otherwise, or are too large, they
are first dealt out by task (`deal`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute, parquet

from labeling.aggregation import gold_check
from labeling.aggregation.answers import LARGEST, Answers, Floats, Ints, last_rows
from labeling.aggregation.ids import Index, index
from labeling.aggregation.sharded import sources, stored
from labeling.aggregation.sharded.keys import Keys, keys, places
from labeling.aggregation.sharded.sources import Source
from labeling.aggregation.states import together
from labeling.aggregation.tables import TableError

Owners = Sequence[Path]  # folders of shards; other tasks go to one more

MANY = 10**5  # different labels in a file, beyond which they are no classes
NAMES, KEYS, SORTED, CODED = "names", "keys", "sorted", "coded"  # files of a shard


@dataclass(frozen=True)
class Names:
    """The ids of T tasks and w workers, sorted."""

    tasks: Any  # pa.Array (T,)
    workers: Any  # pa.StringArray (w,)


@dataclass(frozen=True)
class Sorted:
    """N answers to T tasks by w workers, sorted by task and then worker."""

    counts: Index  # (T,) answers of each task
    worker: Index  # (N,) below w
    label: npt.NDArray[Any]  # (N,)
    labels: list[str]


@dataclass(frozen=True)
class KeysOf:
    """The keys of a shard's tasks and workers."""

    tasks: Keys  # (T,) sorted
    order: Index  # (T,) which task has which
    workers: Keys  # (w,) in the order of the workers


@dataclass(frozen=True)
class Contents:
    """What was read for a shard."""

    read: int  # answers
    taken: int  # answers; of several by one worker to one task the last
    tasks: int
    labels: dict[str, int]  # answers by label


@dataclass(frozen=True)
class Coded:
    """What a shard's ids are in the whole crowd."""

    annotators: npt.NDArray[np.intp]  # (w,) place of each of the shard's workers
    classes: npt.NDArray[np.intp]  # the class of each of the shard's labels
    gold: npt.NDArray[np.intp]  # (T,) class, or -1
    fold: npt.NDArray[np.int8]  # (T,) of the gold, or -1


@dataclass(frozen=True)
class Meaning:
    """What ids mean in all shards."""

    classes: list[str]  # sorted
    canonical: dict[str, str]  # by which name each label goes
    workers: Keys  # (W,) sorted
    gold_keys: Keys  # (G,) sorted
    gold: npt.NDArray[np.intp]  # (G,) classes
    fold: npt.NDArray[np.int8]  # (G,) as of `cross_fit`


def prepare(files: Sequence[Source], folder: Path) -> Contents:
    """Read files, in their order, and keep their answers in a folder. Raises TableError."""
    table = pa.concat_tables(map(sources.read, files))
    read = len(table)
    task_ids, task = _indexed(table["task"])
    workers, worker = _indexed(table["worker"])
    labels, label = _indexed(table["label"])
    del table
    if len(labels) > MANY:
        raise TableError(
            f"{files[0].path}, column {files[0].columns[2]}: {len(labels):,} different labels are "
            f"too many (such as {labels[0].as_py()}): labels must be classes, not free text."
        )
    rows = last_rows(task, worker, len(task_ids), len(workers))
    if rows is not None:
        task, worker, label = task[rows], worker[rows], label[rows]
    given = np.bincount(label, minlength=len(labels)).tolist()
    label = label.astype(np.uint8 if len(labels) <= 2**8 else np.int32)
    counts = np.bincount(task, minlength=len(task_ids)).astype(np.int32)
    found = Sorted(counts, worker, label, labels.to_pylist())
    task_keys = keys(task_ids)
    order = np.argsort(task_keys).astype(np.int32)
    stored.save(folder / NAMES, Names(task_ids, workers))
    stored.save(folder / SORTED, found)
    stored.save(folder / KEYS, KeysOf(task_keys[order], order, keys(workers)))
    by_label = dict(zip(found.labels, given, strict=True))
    return Contents(read, len(task), len(task_ids), by_label)


@dataclass(frozen=True)
class Tally:
    """What a shard adds to the totals of the crowd."""

    tasks: int
    votes: Floats  # (K,)
    together: Floats  # (K, K) tasks to which both classes were given
    answers: Index  # (w,) of each of the shard's workers
    single: int  # tasks with one answer
    gold: Ints  # (G,) classes
    right: Floats  # (G,) share of the answers to each of these tasks that are right

    @classmethod
    def nothing(cls) -> "Tally":
        """Return that of a shard of which nothing is known yet."""
        none = np.zeros(0)
        return cls(0, none, np.zeros((0, 0)), none.astype(np.int32), 0, none.astype(int), none)


def code(folder: Path, meaning: Path) -> Tally:
    """Keep what a shard's ids are in the whole crowd. Raises TableError."""
    known: Meaning = stored.load(meaning)
    rows: Sorted = stored.load(folder / SORTED)
    of: KeysOf = stored.load(folder / KEYS)
    place = {name: at for at, name in enumerate(known.classes)}
    classes = np.array([place[known.canonical[name]] for name in rows.labels])
    tasks = len(rows.counts)
    if tasks * len(place) > LARGEST:
        raise TableError(
            f"{len(place):,} classes are too many for {tasks:,} tasks in one file: labels must be "
            "classes, not free text."
        )
    gold, fold = np.full(tasks, -1), np.full(tasks, -1, np.int8)
    at = np.searchsorted(of.tasks, known.gold_keys).clip(max=tasks - 1)
    here = of.tasks[at] == known.gold_keys
    own = of.order[at[here]]
    gold[own], fold[own] = known.gold[here], known.fold[here]
    coded = Coded(places(known.workers, of.workers), classes, gold, fold)
    stored.save(folder / CODED, coded)
    votes = answers(rows, coded, len(place)).votes()
    given = np.bincount(rows.worker, minlength=len(of.workers)).astype(np.int32)
    single = int((rows.counts == 1).sum())
    right = gold_check.right(votes, gold)
    return Tally(tasks, votes.sum(0), together(votes), given, single, gold[gold >= 0], right)


def code_again(folder: Path, workers: Keys) -> None:
    """Keep what a shard's workers are in a crowd of more."""
    coded: Coded = stored.load(folder / CODED)
    of: KeysOf = stored.load(folder / KEYS)
    stored.save(folder / CODED, replace(coded, annotators=places(workers, of.workers)))


def answers(rows: Sorted, coded: Coded, classes: int) -> Answers:
    """Return a shard's answers, with its own numbers for tasks and workers."""
    kind = np.uint8 if classes <= 2**8 else np.int32
    tasks = len(rows.counts)
    return Answers(
        tasks=np.arange(tasks),
        workers=coded.annotators,
        classes=np.arange(classes),
        task=np.repeat(np.arange(tasks, dtype=np.int32), rows.counts),
        worker=rows.worker,
        label=coded.classes.astype(kind)[rows.label],
    )


def deal(source: Source, number: int, folders: Sequence[Path], owners: Owners | None) -> int:
    """Deal a file's answers out to the folders by task; return how many there were.

    Each folder gets a file of that number, in which the answers are in their order.

    owners: whose tasks are whose; without it they are spread evenly.
    """
    writers: list[Any] = [None] * len(folders)
    count = 0
    for table in sources.batches(source):
        count += len(table)
        of = _shares(table["task"], len(folders), owners)
        order = np.argsort(of, kind="stable")
        starts = np.searchsorted(of[order], np.arange(len(folders) + 1)).tolist()
        table = table.take(order)
        for share, writer in enumerate(writers):
            if starts[share] == starts[share + 1]:
                continue
            if writer is None:
                path = folders[share] / f"{number:06}.parquet"
                writer = writers[share] = parquet.ParquetWriter(path, table.schema)
            writer.write_table(table.slice(starts[share], starts[share + 1] - starts[share]))
    for writer in filter(None, writers):
        writer.close()
    return count


def _shares(tasks: Any, count: int, owners: Owners | None) -> npt.NDArray[np.intp]:
    """Return (n,) the share, below `count`, of each row's task (pa.ChunkedArray)."""
    tasks = tasks.combine_chunks()
    if isinstance(tasks, pa.ChunkedArray):
        tasks = tasks.chunk(0)
    is_text = pa.types.is_dictionary(tasks.type)
    found = keys(tasks.dictionary if is_text else tasks)
    shares = (found % np.uint64(count)).astype(np.intp)
    if owners is not None:
        shares[:] = count - 1
        for share, shard in enumerate(owners):
            known = stored.load(shard / KEYS).tasks
            place = np.searchsorted(known, found).clip(max=len(known) - 1)
            shares[known[place] == found] = share
    return shares[tasks.indices.to_numpy()] if is_text else shares


def _indexed(column: Any) -> tuple[Any, Index]:
    """Return the different ids of a column (pa.Array), sorted, and the place of each row's."""
    if pa.types.is_integer(column.type):
        ids, places = index(column.to_numpy(), "task")
        return pa.array(ids), places
    column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    names = column.dictionary
    used = np.zeros(len(names), bool)
    codes = column.indices.to_numpy()
    used[codes] = True
    order = compute.array_sort_indices(names).to_numpy()
    order = order[used[order]]
    rank = np.zeros(len(names), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return names.take(pa.array(order)), rank[codes]


def total_labels(contents: Sequence[Contents]) -> dict[str, int]:
    """Return how many answers of all shards have each label."""
    counts: Counter[str] = Counter()
    for each in contents:
        counts.update(each.labels)
    return dict(counts)
