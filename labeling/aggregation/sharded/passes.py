"""What is done with one shard in a pass over all of them, in a process of its own.

Every pass reads the shard and the crowd as it is then, and writes or returns what follows from
them; so a pass that was cut short is simply taken again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from labeling.aggregation.agreement import GROUPS, Dealt, kinds
from labeling.aggregation.answers import Floats, Ints
from labeling.aggregation.dawid_skene import best
from labeling.aggregation.design_effect import Excess, excess, tempered
from labeling.aggregation.em import Crowd, Known, Part, Sums
from labeling.aggregation.gold import GoldCalibration, leave_one_out, without_gold
from labeling.aggregation.label_accuracy import Labels
from labeling.aggregation.sharded import stored
from labeling.aggregation.sharded.preparing import CODED, NAMES, SORTED, Coded, Names, answers
from labeling.aggregation.states import Block, Groups, groups

GROUPED, SUMS, LABELS = "grouped", "sums", "labels.parquet"  # files of a shard
BLIND_SUMS, DEALT = "blind-sums", "dealt"  # that stay no longer than they are needed


@dataclass(frozen=True)
class View:
    """How a pass sees shards: by a crowd, and without the gold of some folds."""

    crowd: Path
    hidden: frozenset[int] = frozenset()

    @property
    def sums(self) -> str:
        """Where a shard's sums are kept."""
        return BLIND_SUMS if self.hidden else SUMS


@dataclass(frozen=True)
class Grouped:
    """A shard's tasks in groups, as the crowd's states need them."""

    groups: Groups
    votes: npt.NDArray[Any]  # (T, K), in as few bytes as they need


def group(folder: Path, view: View) -> None:
    """Bring a shard's tasks into groups."""
    if not (folder / SORTED).exists():  # done by a process that was killed before it could say so
        return
    rows, coded = stored.load(folder / SORTED), stored.load(folder / CODED)
    made: Crowd = stored.load(view.crowd)
    found = answers(rows, coded, made.shape[1])
    votes = found.votes()
    grouped = groups(found, votes, made.states, made.places.tables)
    small = votes.astype(np.uint8 if votes.max() < 2**8 else np.int32)
    stored.save(folder / GROUPED, Grouped(grouped, small))
    (folder / SORTED).unlink()


def first_sums(folder: Path, view: View, by_gold: bool) -> None:
    """Keep what is expected of a shard where each task's truth is its votes."""
    part = _part(folder, view)
    _keep(part, folder / view.sums, part.first_sums(by_gold=by_gold))


def sums(folder: Path, view: View) -> None:
    """Keep what is expected of a shard by the crowd's tables."""
    part = _part(folder, view)
    _keep(part, folder / view.sums, part.sums())


def _keep(part: Part, path: Path, found: Sums) -> None:
    """Keep sums; where nobody shares tables, of the shard's annotators alone."""
    if not part.crowd.places.shared.any():
        tables, k = part.crowd.shape
        by_table = found.counts.reshape(-1, tables, k)
        found.counts = np.ascontiguousarray(by_table[:, part.annotators])
    stored.save(path, found)


def add_sums(folder: Path, name: str, crowd: Crowd, total: Sums) -> None:
    """Add what a pass kept of a shard, in the file of that name, to that of other shards."""
    found: Sums = stored.load(folder / name)
    places = stored.load(folder / CODED).annotators
    if found.counts.ndim == 3:
        tables, k = crowd.shape
        total.counts.reshape(-1, tables, k)[:, places] += found.counts
    else:
        total.counts += found.counts
        total.right[places] += found.right
        total.total[places] += found.total
    total.share += found.share
    total.gold += found.gold


def errors(folder: Path, view: View) -> Excess:
    """Return how far annotators err together on a shard's tasks."""
    return excess(_part(folder, view))


@dataclass(frozen=True)
class Judged:
    """What is said of a shard's gold."""

    posteriors: Floats  # (G, K) as if it were unknown
    truth: Ints  # (G,)
    blind: Floats  # (B, K) of that of the hidden folds, not calibrated
    blind_truth: Ints  # (B,)


def held_out(folder: Path, view: View, correlation: float) -> Judged:
    """Return what is said of a shard's gold as if it were unknown, and of what is hidden."""
    part, coded = _part(folder, view), stored.load(folder / CODED)
    likelihoods, none = part.likelihoods(), np.zeros((0, part.crowd.shape[1]))
    hidden = (coded.gold >= 0) & (part.known.gold < 0)
    known, blind = [(np.zeros(0, np.intp), none)], [(np.zeros(0, np.intp), none)]
    for block in part.blocks:
        known.append(leave_one_out(part, block, likelihoods, correlation))
        (rows,) = np.nonzero(hidden[block.tasks])
        posteriors = without_gold(part, block, rows, likelihoods, correlation)
        blind.append((block.tasks[rows], posteriors))
    (tasks, posteriors), (others, found) = (
        map(np.concatenate, zip(*each, strict=True)) for each in (known, blind)
    )
    return Judged(posteriors, coded.gold[tasks], found, coded.gold[others])


def write(
    folder: Path,
    view: View,
    correlation: float,
    calibration: GoldCalibration,
    classes: list[str],
) -> tuple[Floats, Labels]:
    """Write a shard's labels to its Parquet file.

    Return the sum of the posteriors (K,), and the labels of tasks without gold, summed.
    """
    part, k = _part(folder, view), len(classes)
    likelihoods = part.likelihoods()
    posterior = np.empty(part.votes.shape)

    def infer(blocks: Iterable[Block]) -> None:
        for block in blocks:
            found, _ = tempered(part, block, likelihoods(block), correlation)
            posterior[block.tasks] = calibration.apply(found)

    part.in_chains(infer)
    (known,) = np.nonzero(part.known.gold >= 0)
    posterior[known] = np.eye(k)[part.known.gold[known]]
    label = best(posterior, part.crowd.totals.votes)
    tasks = stored.load(folder / NAMES).tasks
    names = pa.DictionaryArray.from_arrays(pa.array(label.astype(np.int32)), pa.array(classes))
    confidence = posterior[np.arange(len(label)), label]
    columns = [tasks, names, confidence.astype(np.float32), *posterior.T.astype(np.float32)]
    table = pa.table(columns, ["task", "label", "confidence", *(f"p_{name}" for name in classes)])
    draft = folder / f"{LABELS}.draft"
    parquet.write_table(table, draft, use_dictionary=["label"])
    draft.replace(folder / LABELS)
    total: Floats = posterior.sum(0)
    rest = part.known.gold < 0
    return total, Labels(confidence[rest].clip(0, 1), label[rest]).summed()


def agreeing(folder: Path, view: View) -> tuple[Floats, Floats] | None:
    """Return the kinds of a shard's tasks (U, K), with how many tasks (U,) are of each.

    None where they are many. The tasks are kept in groups.
    """
    del view
    votes = stored.load(folder / GROUPED).votes
    seed = int.from_bytes(folder.name.encode(), "big")
    stored.save(folder / DEALT, Dealt.of(votes, np.random.default_rng(seed)))
    found, times = kinds(votes, np.ones(len(votes)))
    return (found.astype(np.float64), times) if len(found) <= GROUPS else None


def answers_again(folder: Path, classes: list[str]) -> Any:
    """Return a shard's answers (pa.Table), but those that others replaced, by their classes."""
    names: Names = stored.load(folder / NAMES)
    grouped: Grouped = stored.load(folder / GROUPED)
    found = grouped.groups
    task = np.repeat(found.tasks, np.diff(found.ends))
    workers = pa.DictionaryArray.from_arrays(pa.array(found.worker), names.workers)
    label = pa.DictionaryArray.from_arrays(
        pa.array(found.label.astype(np.int32)), pa.array(classes)
    )
    return pa.table([names.tasks.take(pa.array(task)), workers, label], ["task", "worker", "label"])


def _part(folder: Path, view: View) -> Part:
    grouped: Grouped = stored.load(folder / GROUPED)
    coded: Coded = stored.load(folder / CODED)
    gold = coded.gold
    if view.hidden:
        gold = np.where(np.isin(coded.fold, list(view.hidden)), -1, gold)
    return Part(
        stored.load(view.crowd),
        grouped.groups,
        grouped.votes.astype(np.float64),
        Known(gold),
        annotators=coded.annotators,
        threads=1,
    )
