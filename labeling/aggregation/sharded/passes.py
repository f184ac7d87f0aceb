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

from labeling.aggregation.answers import Floats, Ints
from labeling.aggregation.dawid_skene import best
from labeling.aggregation.design_effect import Excess, excess, tempered
from labeling.aggregation.em import Crowd, Known, Part, Sums
from labeling.aggregation.gold import GoldCalibration, leave_one_out
from labeling.aggregation.sharded import stored
from labeling.aggregation.sharded.preparing import CODED, NAMES, SORTED, Coded, Names, answers
from labeling.aggregation.states import Block, Groups, groups

GROUPED, SUMS, LABELS = "grouped", "sums", "labels.parquet"  # files of a shard


@dataclass(frozen=True)
class Grouped:
    """A shard's tasks in groups, as the crowd's states need them."""

    groups: Groups
    votes: npt.NDArray[Any]  # (T, K), in as few bytes as they need


def group(folder: Path, crowd: Path) -> None:
    """Bring a shard's tasks into groups."""
    if not (folder / SORTED).exists():  # done by a process that was killed before it could say so
        return
    rows, coded = stored.load(folder / SORTED), stored.load(folder / CODED)
    made: Crowd = stored.load(crowd)
    found = answers(rows, coded, made.shape[1])
    votes = found.votes()
    grouped = groups(found, votes, made.states, made.places.tables)
    small = votes.astype(np.uint8 if votes.max() < 2**8 else np.int32)
    stored.save(folder / GROUPED, Grouped(grouped, small))
    (folder / SORTED).unlink()


def first_sums(folder: Path, crowd: Path, by_gold: bool) -> None:
    """Keep what is expected of a shard where each task's truth is its votes."""
    part = _part(folder, crowd)
    _keep(part, folder, part.first_sums(by_gold=by_gold))


def sums(folder: Path, crowd: Path) -> None:
    """Keep what is expected of a shard by the crowd's tables."""
    part = _part(folder, crowd)
    _keep(part, folder, part.sums())


def _keep(part: Part, folder: Path, found: Sums) -> None:
    """Keep sums; where nobody shares tables, of the shard's annotators alone."""
    if not part.crowd.places.shared.any():
        tables, k = part.crowd.shape
        by_table = found.counts.reshape(-1, tables, k)
        found.counts = np.ascontiguousarray(by_table[:, part.annotators])
    stored.save(folder / SUMS, found)


def add_sums(folder: Path, crowd: Crowd, total: Sums) -> None:
    """Add what a pass kept of a shard to that of other shards."""
    found: Sums = stored.load(folder / SUMS)
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


def errors(folder: Path, crowd: Path) -> Excess:
    """Return how far annotators err together on a shard's tasks."""
    return excess(_part(folder, crowd))


def held_out(folder: Path, crowd: Path, correlation: float) -> tuple[Floats, Ints]:
    """Return the posteriors (G, K) of a shard's gold as if it were unknown, and the gold (G,)."""
    part = _part(folder, crowd)
    likelihoods = part.likelihoods()
    found = [leave_one_out(part, block, likelihoods, correlation) for block in part.blocks]
    tasks = np.concatenate([np.zeros(0, np.intp), *(each for each, _ in found)])
    posteriors = np.concatenate([np.zeros((0, part.crowd.shape[1])), *(each for _, each in found)])
    return posteriors, part.known.gold[tasks]


def write(
    folder: Path,
    crowd: Path,
    correlation: float,
    calibration: GoldCalibration,
    classes: list[str],
) -> Floats:
    """Write a shard's labels to its Parquet file; return the sum of the posteriors (K,)."""
    part, k = _part(folder, crowd), len(classes)
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
    confidence = posterior[np.arange(len(label)), label].astype(np.float32)
    columns = [tasks, names, confidence, *posterior.T.astype(np.float32)]
    table = pa.table(columns, ["task", "label", "confidence", *(f"p_{name}" for name in classes)])
    draft = folder / f"{LABELS}.draft"
    parquet.write_table(table, draft, use_dictionary=["label"])
    draft.replace(folder / LABELS)
    total: Floats = posterior.sum(0)
    return total


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


def _part(folder: Path, crowd: Path) -> Part:
    grouped: Grouped = stored.load(folder / GROUPED)
    coded: Coded = stored.load(folder / CODED)
    return Part(
        stored.load(crowd),
        grouped.groups,
        grouped.votes.astype(np.float64),
        Known(coded.gold),
        annotators=coded.annotators,
        threads=1,
    )
