"""From a folder of answers to a folder of labels."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

from labeling.aggregation import levels, spellings
from labeling.aggregation.answers import Floats
from labeling.aggregation.dawid_skene import ITERATIONS, LARGEST, ODD
from labeling.aggregation.design_effect import Excess
from labeling.aggregation.em import Crowd, Sums, Totals
from labeling.aggregation.gold import IDENTITY, GoldCalibration, fit, log_score
from labeling.aggregation.sharded import passes, preparing, sources, stored
from labeling.aggregation.sharded.keys import Keys, keys
from labeling.aggregation.sharded.pool import Pool
from labeling.aggregation.sharded.preparing import Contents, Meaning
from labeling.aggregation.sharded.sources import Source
from labeling.aggregation.tables import TableError

SHARD = 10**7  # answers in a shard, at most, as a rule
TOGETHER = 10**7  # keys compared together
CROWD, MEANING = "crowd", "meaning"  # files of the work folder

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What was inferred: counts, and of W workers what they are worth."""

    read: int  # answers in the files
    copies: int  # of these, in files that are copies of others
    replaced: int  # by a later answer of the same worker to the same task
    tasks: int
    gold: int  # tasks with gold that have answers
    classes: list[str]
    shards: int
    error_correlation: float
    names: Any  # pa.StringArray (W,) of the workers, sorted
    answers: npt.NDArray[np.int64]  # (W,) of theirs
    reliability: Floats  # (W,) probability of a right answer, over all tasks

    @property
    def taken(self) -> int:
        """How many answers were inferred from."""
        return self.read - self.copies - self.replaced


def aggregate_folder(
    folder: Path,
    out: Path,
    *,
    gold: Mapping[str, str] | None = None,
    canonical: Callable[[Mapping[str, int]], dict[str, str]] | None = None,
    processes: int | None = None,
    scratch: Path | None = None,
    say: Say = lambda text: None,
) -> Outcome:
    """Infer the labels of all tasks in a folder of Parquet files, and write them to another.

    folder: its files have the columns task, worker and label; others are ignored. Of several
        answers of a worker to a task the last one counts, by the names of files and the rows in
        them.
    out: a folder that does not exist yet, or is empty. It gets Parquet files with task, label,
        confidence and a column p_CLASS a class, in single precision.
    gold: task → label.
    canonical: answers by label → the name by which each label goes; see `spellings.merged`.
    processes: how many work at a time; as many as there are processors, if not said.
    scratch: where to keep shards meanwhile; beside `out`, if not said.
    say: told what is being done.

    Raises TableError, with `out` as it was.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TableError(
            f"{out} cannot be written: name a folder that does not exist, or is empty."
        )
    if not out.absolute().parent.is_dir():
        raise TableError(f"{out} cannot be written: {out.absolute().parent} does not exist.")
    if out.resolve() == folder.resolve() or folder.resolve() in out.resolve().parents:
        raise TableError(f"{out} cannot be written: it is within the folder that is read.")
    files = sources.find(folder)
    try:
        with _work_folder(scratch or out.absolute().parent) as place:
            with Pool(processes or len(os.sched_getaffinity(0))) as pool:
                found = _Inference(files, place, pool, canonical or _as_they_are, say)
                outcome = found.run(gold or {}, place / "out")
            if out.exists():
                out.rmdir()
            shutil.move(place / "out", out)
            return outcome
    except OSError as error:
        name = error.filename or scratch or out
        raise TableError(f"{name} cannot be written: {error.strerror}.") from None


@contextmanager
def _work_folder(parent: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix=".aggregation-", dir=parent))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _as_they_are(counts: Mapping[str, int]) -> dict[str, str]:
    return spellings.merged(counts, all_of_them=False)


class _Inference:
    """One way through all files."""

    def __init__(
        self,
        files: list[Source],
        work: Path,
        pool: Pool,
        canonical: Callable[[Mapping[str, int]], dict[str, str]],
        say: Say,
    ) -> None:
        self.read = sum(each.rows for each in files)
        copies = sources.repeated(files)
        for path, original in copies.items():
            say(f"{path} is a copy of {original} and is left out.")
        self.files = [each for each in files if each.path not in copies]
        self.copies = self.read - sum(each.rows for each in self.files)
        self.work, self.pool, self.canonical, self.say = work, pool, canonical, say
        self.shards: list[Path] = []
        self.contents: list[Contents] = []

    def run(self, gold: Mapping[str, str], out: Path) -> Outcome:
        """Infer everything; write the labels to a new folder."""
        self._prepare()
        classes, workers = self._code(gold)
        crowd = self._fit(by_gold=False)
        correlation, posteriors, truth = self._judge(bool(gold))
        if len(truth):
            score, oddness = log_score(posteriors, truth)
            if oddness >= ODD:
                self.say("Gold is not what the crowd says: beginning once more from the gold.")
                other = self._fit(by_gold=True)
                judged = self._judge(True)
                if log_score(*judged[1:])[0] > score:
                    crowd, (correlation, posteriors, truth) = other, judged
                else:
                    self._keep(crowd)
        calibration = fit(posteriors, truth, crowd.totals.votes) if len(truth) else IDENTITY
        out.mkdir()
        total = self._write(out, classes, correlation, calibration)
        return self._outcome(crowd, classes, workers, total, correlation, len(truth))

    def _prepare(self) -> None:
        """Make shards of the files, one of each if all answers to a task are in one file."""
        wanted = max(1, -(-sum(each.rows for each in self.files) // SHARD))
        if max(each.rows for each in self.files) <= SHARD:
            self._read([[each] for each in self.files])
            if not self._overlap():
                return
            self.say("Some tasks have answers in several files.")
        self._read(self._dealt(wanted))

    def _dealt(self, count: int) -> list[list[Source]]:
        """Return files, by share, that hold all answers to the tasks of that share."""
        self.say(f"Dealing answers out to {count:,} shards by task.")
        folders = [self.work / f"dealt-{number:06}" for number in range(count)]
        for folder in folders:
            folder.mkdir()
        rows = self.pool.map(
            preparing.deal,
            [(source, number, folders) for number, source in enumerate(self.files)],
        )
        assert sum(rows) == sum(each.rows for each in self.files)
        return [found for folder in folders if (found := _files(folder))]

    def _read(self, files: Sequence[Sequence[Source]]) -> None:
        self.say(f"Reading {self.read - self.copies:,} answers.")
        for folder in self.shards:
            shutil.rmtree(folder)
        self.shards = [self.work / f"shard-{number:06}" for number in range(len(files))]
        for folder in self.shards:
            folder.mkdir()
        self.contents = self.pool.map(preparing.prepare, list(zip(files, self.shards, strict=True)))
        for dealt in self.work.glob("dealt-*"):
            shutil.rmtree(dealt)
        assert sum(each.read for each in self.contents) == self.read - self.copies

    def _overlap(self) -> bool:
        """Whether a task is in several shards."""
        if len(self.shards) == 1:
            return False
        found = [stored.load(shard / preparing.KEYS).tasks for shard in self.shards]
        parts = 1 + sum(map(len, found)) // TOGETHER
        borders = np.linspace(0, 2.0**64, parts + 1)[1:-1].astype(np.uint64)
        cuts = [[0, *np.searchsorted(each, borders).tolist(), len(each)] for each in found]
        for part in range(parts):
            some = np.concatenate(
                [each[cut[part] : cut[part + 1]] for each, cut in zip(found, cuts, strict=True)]
            )
            some.sort()
            if (some[1:] == some[:-1]).any():
                return True
        return False

    def _code(self, gold: Mapping[str, str]) -> tuple[list[str], Keys]:
        """Agree on what ids mean, and express all shards by it; return classes and workers."""
        counts = preparing.total_labels(self.contents)
        for label in gold.values():
            counts.setdefault(label, 0)
        canonical = self.canonical(counts)
        task_keys, labels = self._gold(gold, canonical)
        given = {canonical[label] for each in self.contents for label in each.labels}
        classes = sorted(given | set(labels))
        workers = np.zeros(0, np.uint64)
        for shard in self.shards:
            workers = np.union1d(workers, stored.load(shard / preparing.KEYS).workers)
        place = {name: at for at, name in enumerate(classes)}
        truth = np.array([place[label] for label in labels], np.intp)
        meaning = Meaning(classes, canonical, workers, task_keys, truth)
        stored.save(self.work / MEANING, meaning)
        coded = self.pool.map(
            preparing.code, [(shard, self.work / MEANING) for shard in self.shards]
        )
        answers = np.zeros(len(workers), np.int64)
        for _, _, _, ids, numbers in coded:
            answers[ids.annotators] += numbers
        k = len(classes)
        if levels.places(answers, k).tables * k * k > LARGEST:
            raise TableError(
                f"{k:,} classes are too many for confusion matrices (such as {classes[0]}): labels "
                "must be classes, not free text."
            )
        self.totals = Totals(
            tasks=sum(each[0] for each in coded),
            votes=sum((each[1] for each in coded), np.zeros(k)),
            together=sum((each[2] for each in coded), np.zeros((k, k))),
            answers=answers,
        )
        self._keep(Crowd(self.totals))
        self._pass(passes.group)
        return classes, workers

    def _gold(
        self, gold: Mapping[str, str], canonical: Mapping[str, str]
    ) -> tuple[Keys, list[str]]:
        """Return the keys of those tasks with gold that have answers, sorted, and their labels."""
        if self.files[0].task_type != "text":
            gold = {name: label for name, label in gold.items() if _whole(name)}
            ids = pa.array(map(int, gold), pa.int64())
        else:
            ids = pa.array(list(gold), pa.string())
        found = keys(ids)
        order = np.argsort(found)
        found = found[order]
        here = np.zeros(len(found), bool)
        for shard in self.shards if len(found) else ():
            tasks = stored.load(shard / preparing.KEYS).tasks
            place = np.searchsorted(tasks, found).clip(max=len(tasks) - 1)
            here |= tasks[place] == found
        labels = [canonical[label] for label in gold.values()]
        left_out = int((~here).sum())
        if left_out:
            self.say(f"{left_out:,} of {len(gold):,} tasks with gold have no answers.")
        return found[here], [labels[at] for at in order[here].tolist()]

    def _fit(self, *, by_gold: bool) -> Crowd:
        """Return the crowd after EM, which is kept for further passes."""
        crowd = Crowd(self.totals)
        self._keep(crowd)
        self._pass(passes.first_sums, by_gold)
        crowd.begin(self._sums(crowd))
        for number in range(ITERATIONS):
            self.say(f"Iteration {number + 1} of {ITERATIONS}.")
            self._keep(crowd)
            self._pass(passes.sums)
            crowd.update(self._sums(crowd))
        self._keep(crowd)
        return crowd

    def _keep(self, crowd: Crowd) -> None:
        stored.save(self.work / CROWD, crowd)

    def _pass(self, work: Callable[..., Any], *more: Any) -> list[Any]:
        crowd = self.work / CROWD
        return self.pool.map(work, [(shard, crowd, *more) for shard in self.shards])

    def _sums(self, crowd: Crowd) -> Sums:
        total = crowd.no_sums()
        if crowd.places.shared.any():
            total.right, total.total = np.zeros((2, len(self.totals.answers)))
        for shard in self.shards:
            total.add(passes.read_sums(shard, len(self.totals.answers)))
        return total

    def _judge(self, with_gold: bool) -> tuple[float, Floats, npt.NDArray[np.intp]]:
        """Return the correlation of errors, and gold's posteriors (G, K) and classes (G,)."""
        self.say("Measuring how far annotators err together.")
        correlation = sum(self._pass(passes.errors), Excess()).correlation
        if not with_gold:
            return correlation, np.zeros((0, 0)), np.zeros(0, np.intp)
        judged = self._pass(passes.held_out, correlation)
        posteriors = np.concatenate([each for each, _ in judged])
        return correlation, posteriors, np.concatenate([each for _, each in judged])

    def _write(
        self, out: Path, classes: list[str], correlation: float, calibration: GoldCalibration
    ) -> Floats:
        """Write all labels; return the sum of the posteriors (K,)."""
        self.say(f"Writing labels of {self.totals.tasks:,} tasks.")
        paths = [out / f"part-{number:06}.parquet" for number in range(len(self.shards))]
        crowd = self.work / CROWD
        sums = self.pool.map(
            passes.write,
            [
                (shard, crowd, correlation, calibration, classes, path)
                for shard, path in zip(self.shards, paths, strict=True)
            ],
        )
        total: Floats = sum(sums, np.zeros(len(classes)))
        return total

    def _outcome(
        self,
        crowd: Crowd,
        classes: list[str],
        workers: Keys,
        total: Floats,
        correlation: float,
        gold: int,
    ) -> Outcome:
        k = len(classes)
        share = total / total.sum()
        right = np.einsum("k,jkk->j", share, crowd.table[:, :k])
        names, order = self._names(workers)
        taken = sum(each.taken for each in self.contents)
        return Outcome(
            read=self.read,
            copies=self.copies,
            replaced=self.read - self.copies - taken,
            tasks=self.totals.tasks,
            gold=gold,
            classes=classes,
            shards=len(self.shards),
            error_correlation=correlation,
            names=names,
            answers=self.totals.answers[order],
            reliability=right[crowd.places.of[order]],
        )

    def _names(self, workers: Keys) -> tuple[Any, npt.NDArray[np.intp]]:
        """Return the names of the workers, sorted, and the place of each in the crowd."""
        seen = np.zeros(len(workers), bool)
        names, places = [pa.array([], pa.string())], [np.zeros(0, np.intp)]
        for shard in self.shards:
            place = np.searchsorted(workers, stored.load(shard / preparing.KEYS).workers)
            new = ~seen[place]
            seen[place] = True
            names.append(stored.load(shard / preparing.NAMES).workers.filter(pa.array(new)))
            places.append(place[new])
        together = pa.concat_arrays(names)
        order = compute.array_sort_indices(together).to_numpy()
        return together.take(pa.array(order)), np.concatenate(places)[order]


def _files(folder: Path) -> list[Source]:
    return sources.find(folder) if any(folder.iterdir()) else []


def _whole(text: str) -> bool:
    try:
        return -(2**63) <= int(text) < 2**63
    except ValueError:
        return False
