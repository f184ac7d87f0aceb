"""From a folder of answers to a folder of labels."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

from labeling.aggregation.agreement import Agreement
from labeling.aggregation.answers import Floats
from labeling.aggregation.lock import locked
from labeling.aggregation.sharded import kept, preparing, sources, stored
from labeling.aggregation.sharded.inference import Accuracies, Inference, correlation_of
from labeling.aggregation.sharded.kept import Say, State
from labeling.aggregation.sharded.pool import Pool
from labeling.aggregation.tables import TableError

WORK = ".aggregation-"  # as folders begin that are worked in, beside the labels


@dataclass(frozen=True)
class Workers:
    """What W workers are worth."""

    names: Any  # pa.LargeStringArray (W,), sorted
    answers: npt.NDArray[np.int64]  # (W,)
    reliability: Floats  # (W,) probability of a right answer, over all tasks


@dataclass(frozen=True)
class Outcome:
    """What was inferred."""

    read: int  # answers in the files
    copies: int  # of these, in files that are copies of others
    replaced: int  # by a later answer of the same worker to the same task
    tasks: int
    gold: int  # tasks with gold that have answers
    annotators: int
    classes: list[str]
    shards: int
    error_correlation: float
    workers: "Workers | None"  # if asked for
    accuracies: Accuracies | None  # if asked for
    agreement: Agreement | None  # if asked for

    @property
    def taken(self) -> int:
        """How many answers were inferred from."""
        return self.read - self.copies - self.replaced


def aggregate_folder(
    folder: Path,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    gold: Mapping[str, str] | None = None,
    merge_classes: bool = False,
    processes: int | None = None,
    keep: Path | None = None,
    with_workers: bool = False,
    with_accuracy: bool = False,
    with_agreement: bool = False,
    say: Say = lambda text: None,
) -> Outcome:
    """Infer the labels of all tasks in a folder of Parquet files, and write them to another.

    folder: its files have the columns task, worker and label, or what `columns` says that these
        are called; others are ignored. Of several
        answers of a worker to a task the last one counts, by the names of files and the rows in
        them.
    out: a folder that does not exist yet, or is empty. It gets Parquet files with task, label,
        confidence and a column p_CLASS a class, in single precision.
    gold: task → label.
    merge_classes: whether classes that differ in case or spaces alone are one, by its most frequent
        name. True and false are in any case.
    processes: how many work at a time; as many as there are processors, if not said.
    keep: a folder in which shards stay for the next time, some 30 bytes an answer. If there are
        then only new files, whose names come after the others', just these are read, and of the
        labels those are inferred again whose tasks have new answers. Where that cannot be, all is
        done anew, and said.
    with_workers: whether to return what each worker is worth, with their names in memory.
    with_accuracy: whether to judge by gold, which must be drawn at random, how often labels are
        right. It takes several times as long.
    with_agreement: whether to measure how far workers agree.
    say: told what is being done.

    Raises TableError, with `out` as it was. Warns where gold contradicts the answers more than
    chance would (`GoldWarning`).
    """
    target = out.resolve()
    _check(folder, target, keep)
    if with_accuracy and not gold:
        raise TableError("How often labels are right is judged by gold: there is none.")
    with locked(target):
        _check(folder, target, keep)  # another run may just have ended
        files = sources.find(folder, columns, say)
        try:
            with (
                _work_folder(keep, target.parent) as place,
                Pool(processes or len(os.sched_getaffinity(0))) as pool,
            ):
                inference = Inference(files, place, pool, merge_classes, say)
                earlier = kept.read(place, say)
                state = None if earlier is None else inference.more(earlier, gold or {})
                if state is None:
                    kept.clear(place)
                    state = inference.whole(gold or {})
                kept.write(place, state)
                accuracies = inference.accuracies(state) if with_accuracy else None
                measured = inference.agreement(state) if with_agreement else None
                _put(inference.labels(state), target, copied=keep is not None)
                workers = _workers(state, place) if with_workers else None
                return _outcome(state, workers, accuracies, measured)
        except OSError as error:
            name = error.filename or keep or out
            raise TableError(f"{name} cannot be written: {error.strerror}.") from None


def _check(folder: Path, out: Path, keep: Path | None) -> None:
    """Raise TableError where a folder cannot be written, or is within another."""
    wrong = f"{out} cannot be written:"
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TableError(f"{wrong} name a folder that does not exist, or is empty.")
    if not out.parent.is_dir():
        raise TableError(f"{wrong} {out.parent} does not exist.")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise TableError(f"{wrong} you may not write in {out.parent}.")
    if out.is_relative_to(folder.resolve()):
        raise TableError(f"{wrong} it is within the folder that is read.")
    if keep is None:
        return
    wrong, kept_in = f"{keep} cannot keep shards:", keep.resolve()
    if kept_in.is_relative_to(folder.resolve()):
        raise TableError(f"{wrong} it is within the folder that is read.")
    if kept_in.is_relative_to(out) or out.is_relative_to(kept_in):
        raise TableError(f"{wrong} name another folder than that of the labels.")
    if not keep.is_dir() and (keep.exists() or not kept_in.parent.is_dir()):
        raise TableError(f"{wrong} name a folder, in one that exists.")


@contextmanager
def _work_folder(keep: Path | None, parent: Path) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(exist_ok=True)
        with kept.claimed(keep):
            yield keep
        return
    _remove_left(parent)
    place = Path(tempfile.mkdtemp(prefix=WORK, dir=parent))
    try:
        with kept.claimed(place):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    """Remove what inferences left that were killed."""
    for place in parent.glob(f"{WORK}*/{kept.MARK}"):
        if place.stat().st_uid == os.geteuid():
            with suppress(TableError, OSError), kept.claimed(place.parent):
                shutil.rmtree(place.parent)


def _put(labels: Sequence[Path], out: Path, *, copied: bool) -> None:
    """Put all files of labels into a new folder; copied where they are kept as well."""
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        draft.chmod(0o777 & ~_umask())
        for number, path in enumerate(labels):
            (shutil.copyfile if copied else os.replace)(path, draft / f"part-{number:06}.parquet")
        if out.exists():
            out.rmdir()
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _outcome(
    state: State,
    workers: Workers | None,
    accuracies: Accuracies | None,
    measured: Agreement | None,
) -> Outcome:
    contents = [shard.contents for shard in state.shards]
    read = sum(each.read for each in contents)
    return Outcome(
        read=read + state.copies,
        copies=state.copies,
        replaced=read - sum(each.taken for each in contents),
        tasks=state.crowd.totals.tasks,
        gold=sum(len(shard.truth) for shard in state.shards),
        annotators=len(state.meaning.workers),
        classes=state.meaning.classes,
        shards=len(state.shards),
        error_correlation=correlation_of(state.shards),
        workers=workers,
        accuracies=accuracies,
        agreement=measured,
    )


def _workers(state: State, place: Path) -> Workers:
    crowd, k = state.crowd, len(state.meaning.classes)
    total: Floats = sum((shard.total for shard in state.shards), np.zeros(k))
    right = np.einsum("k,jkk->j", total / total.sum(), crowd.table[:, :k])
    names, order = _names(state, place)
    return Workers(names, crowd.totals.answers[order], right[crowd.places.of[order]])


def _names(state: State, place: Path) -> tuple[Any, npt.NDArray[np.intp]]:
    """Return the names of the workers, sorted, and the place of each in the crowd."""
    seen = np.zeros(len(state.meaning.workers), bool)
    names, places = [pa.array([], pa.large_string())], [np.zeros(0, np.intp)]
    for shard in state.shards:
        folder = place / shard.name
        at = stored.load(folder / preparing.CODED).annotators
        new = ~seen[at]
        seen[at] = True
        of_shard = stored.load(folder / preparing.NAMES).workers.filter(pa.array(new))
        names.append(of_shard.cast(pa.large_string()))
        places.append(at[new])
    together = pa.concat_arrays(names)
    order = compute.array_sort_indices(together).to_numpy()
    return together.take(pa.array(order)), np.concatenate(places)[order]
