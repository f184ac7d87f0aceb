"""The way of all shards through EM: of all of them, or of those that have new answers."""

import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from labeling.aggregation import gold_check, spellings
from labeling.aggregation.agreement import Agreement
from labeling.aggregation.answers import Floats
from labeling.aggregation.cross_fit import folds, label_accuracies
from labeling.aggregation.dawid_skene import CHEAP, ITERATIONS, ODD
from labeling.aggregation.design_effect import Excess
from labeling.aggregation.em import Crowd, Totals
from labeling.aggregation.gold import IDENTITY, fit, log_score
from labeling.aggregation.label_accuracy import LabelAccuracy, Labels
from labeling.aggregation.sharded import passes, preparing, sources, stored
from labeling.aggregation.sharded.agreeing import agreement
from labeling.aggregation.sharded.blind import blind_posteriors
from labeling.aggregation.sharded.kept import Say, Shard, Stamp, State
from labeling.aggregation.sharded.keys import Keys, keys, union
from labeling.aggregation.sharded.pool import Pool
from labeling.aggregation.sharded.preparing import Contents, Meaning
from labeling.aggregation.sharded.sources import Source
from labeling.aggregation.sharded.work import Work
from labeling.aggregation.tables import TableError, shown

SHARD = 10**7  # answers in a shard, at most, as a rule
TOGETHER = 10**7  # keys compared together
LITTLE = 0.2  # share of new answers up to which only their shards are inferred again
MORE = 3  # iterations over these

Accuracies = tuple[LabelAccuracy | None, list[LabelAccuracy | None]]  # of all labels; by class

MEANING = "meaning"  # a file of the work folder


class Inference:
    """Files, and the folder in which shards of them are worked on."""

    def __init__(
        self, files: list[Source], place: Path, pool: Pool, merge_classes: bool, say: Say
    ) -> None:
        copies = sources.repeated(files)
        for path, original in copies.items():
            say(f"{path} is a copy of {original} and is left out.")
        self.stamps: dict[str, Stamp] = {
            str(each.path): (*each.stamp, each.columns) for each in files
        }
        self.files = [each for each in files if each.path not in copies]
        self.copies = sum(each.rows for each in files) - sum(each.rows for each in self.files)
        self.place, self.pool, self.say = place, pool, say
        self.work = Work(place, pool)
        self.merge_classes = merge_classes
        self._made = 0  # folders of shards

    def whole(self, gold: Mapping[str, str]) -> State:
        """Infer everything from the beginning."""
        shards = self._prepared()
        meaning = self._meaning(shards, gold)
        self._code(shards, meaning)
        totals = self._totals(shards, meaning)
        try:
            self.work.keep(Crowd(totals))
        except ValueError as error:
            raise TableError(f"{error} (such as {meaning.classes[0]}).") from None
        self.work.over(shards, passes.group)
        crowd = self._fitted(shards, totals, by_gold=False)
        self._judge(shards, gold)
        posteriors, truth = _gold_of(shards)
        if len(truth):
            score, oddness = log_score(posteriors, truth)
            if oddness >= ODD or totals.answers.sum() <= CHEAP:
                self.say("Beginning once more, from the gold.")
                other = self._fitted(shards, totals, by_gold=True)
                self._judge(shards, gold)
                if log_score(*_gold_of(shards))[0] > score:
                    crowd = other
                else:
                    self.work.keep(crowd)
                    self._judge(shards, gold)
        self._write(shards, shards, meaning, crowd)
        return self._state(gold, meaning, crowd, shards)

    def more(self, earlier: State, gold: Mapping[str, str]) -> State | None:
        """Infer what new files change; None where all must be inferred anew."""
        new = [each for each in self.files if str(each.path) not in earlier.files]
        rows = sum(each.rows for each in new)
        if earlier.files.items() - self.stamps.items() or dict(gold) != dict(earlier.gold):
            return self._anew("Files, columns or gold have changed")
        if self.merge_classes != earlier.merge_classes:
            return self._anew("Classes are merged otherwise")
        if new and str(new[0].path) < max(earlier.files):
            return self._anew("New files come before others by name")
        if rows > LITTLE * earlier.read:
            return self._anew("Many answers are new")
        self.say(f"Reading {rows:,} new answers.")
        if not new:
            return replace(earlier, files=self.stamps, copies=self.copies)
        shards, touched = self._extended(earlier, new)
        given = {label for shard in touched for label in shard.contents.labels}
        meaning = self._meaning(shards, gold)
        if not given <= set(earlier.meaning.classes) or meaning.classes != earlier.meaning.classes:
            return self._anew("There are new classes")
        self._code(touched, meaning)
        self.pool.map(
            preparing.code_again,
            [(self.place / each.name, meaning.workers) for each in shards if each not in touched],
        )
        totals = self._totals(shards, meaning)
        crowd = Crowd(totals)
        same = np.array_equal(crowd.states.first, earlier.crowd.states.first)
        same &= np.array_equal(crowd.states.second, earlier.crowd.states.second)
        if not same or crowd.places.shared.any() or earlier.crowd.places.shared.any():
            return self._anew("There are other tables")
        self._fit_more(crowd, earlier, shards, touched)
        self._judge(touched, gold)
        self._write(shards, touched, meaning, crowd)
        return self._state(gold, meaning, crowd, shards)

    def _state(
        self, gold: Mapping[str, str], meaning: Meaning, crowd: Crowd, shards: list[Shard]
    ) -> State:
        return State(self.stamps, self.copies, gold, self.merge_classes, meaning, crowd, shards)

    def accuracies(self, state: State) -> Accuracies:
        """Return how often the labels are right, judged by their gold."""
        blind, truth = blind_posteriors(self.work, state.shards, state.crowd.totals, self.say)
        labels = Labels.joined([shard.labels for shard in state.shards]).summed()
        return label_accuracies(labels, blind, truth)

    def agreement(self, state: State) -> Agreement:
        """Return how far annotators agree."""
        self.say("Measuring how far annotators agree.")
        return agreement(self.work, state)

    def labels(self, state: State) -> list[Path]:
        """Return the files of labels."""
        return [self.place / shard.name / passes.LABELS for shard in state.shards]

    def _anew(self, reason: str) -> State | None:
        self.say(f"{reason}: everything is inferred anew.")
        return None

    def _prepared(self) -> list[Shard]:
        """Make shards of the files, one of each if all answers to a task are in one file."""
        if max(each.rows for each in self.files) <= SHARD:
            shards = self._read([[each] for each in self.files])
            if not self._overlap(shards):
                return shards
            self.say("Some tasks have answers in several files.")
            for shard in shards:
                shutil.rmtree(self.place / shard.name)
        count = -(-sum(each.rows for each in self.files) // SHARD)
        self.say(f"Dealing answers out to {count:,} shard{'s' if count > 1 else ''} by task.")
        folders = [self.place / f"dealt-{number:06}" for number in range(count)]
        shards = self._read(self._dealt(self.files, folders, None))
        for folder in folders:
            shutil.rmtree(folder)
        return shards

    def _dealt(
        self, files: Sequence[Source], folders: Sequence[Path], owners: preparing.Owners | None
    ) -> list[list[Source]]:
        """Return files, by folder, that hold all answers to the tasks of a shard."""
        for folder in folders:
            folder.mkdir()
        rows = self.pool.map(
            preparing.deal,
            [(source, number, folders, owners) for number, source in enumerate(files, 1)],
        )
        assert sum(rows) == sum(each.rows for each in files)
        return [sources.find(each) if any(each.iterdir()) else [] for each in folders]

    def _read(self, files: Sequence[Sequence[Source]]) -> list[Shard]:
        """Return shards of the files that are there."""
        files = [each for each in files if each]
        rows = sum(source.rows for each in files for source in each)
        self.say(f"Reading {rows:,} answers.")
        names = []
        for _ in files:
            self._made += 1
            names.append(f"shard-{self._made:06}")
            (self.place / names[-1]).mkdir()
        folders = [self.place / name for name in names]
        contents: list[Contents] = self.pool.map(
            preparing.prepare, list(zip(files, folders, strict=True))
        )
        assert sum(each.read for each in contents) == rows
        return [Shard(*each) for each in zip(names, contents, strict=True)]

    def _extended(self, earlier: State, new: Sequence[Source]) -> tuple[list[Shard], list[Shard]]:
        """Return all shards when new files have come in, and those that have new answers.

        A shard with new answers is made again, of what it holds and of these.
        """
        self._made = max(int(shard.name.partition("-")[2]) for shard in earlier.shards)
        owners = [self.place / shard.name for shard in earlier.shards]
        folders = [self.place / f"dealt-{number:06}" for number in range(len(owners) + 1)]
        dealt = self._dealt(new, folders, owners)
        touched = [number for number, files in enumerate(dealt) if files]
        for number in touched:
            if number < len(owners):
                rows = passes.answers_again(owners[number], earlier.meaning.classes)
                parquet.write_table(rows, folders[number] / "000000.parquet")
                dealt[number] = sources.find(folders[number])
        made = self._read(dealt)
        for folder in folders:
            shutil.rmtree(folder)
        shards: list[Shard | None] = [*earlier.shards, None]
        for number, shard in zip(touched, made, strict=True):
            if number < len(owners):  # count what others replaced before, too
                was = earlier.shards[number].contents
                again = was.read - was.taken + shard.contents.read
                shard.contents = replace(shard.contents, read=again)
            shards[number] = shard
        return [shard for shard in shards if shard is not None], made

    def _overlap(self, shards: Sequence[Shard]) -> bool:
        """Whether a task is in several shards."""
        if len(shards) == 1:
            return False
        found = [self._keys(shard).tasks for shard in shards]
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

    def _meaning(self, shards: Sequence[Shard], gold: Mapping[str, str]) -> Meaning:
        """Return what the ids of all shards mean."""
        counts = preparing.total_labels([shard.contents for shard in shards])
        answered = list(counts)
        for label in gold.values():
            counts.setdefault(label, 0)
        canonical = spellings.merged(counts, all_of_them=self.merge_classes)
        for sentence in spellings.told(counts, canonical):
            self.say(sentence)
        task_keys, labels, fold = self._gold(shards, gold, canonical)
        classes = sorted({canonical[label] for label in answered} | set(labels))
        workers = union(self._keys(shard).workers for shard in shards)
        place = {name: at for at, name in enumerate(classes)}
        truth = np.array([place[label] for label in labels], np.intp)
        return Meaning(classes, canonical, workers, task_keys, truth, fold)

    def _gold(
        self, shards: Sequence[Shard], gold: Mapping[str, str], canonical: Mapping[str, str]
    ) -> tuple[Keys, list[str], npt.NDArray[np.int8]]:
        """Return the keys of those tasks with gold that have answers, sorted; labels and folds."""
        if self.files[0].task_type == "text":
            known, ids = dict(gold), pa.array(list(gold), pa.string())
        else:
            known = {name: label for name, label in gold.items() if _is_whole(name)}
            ids = pa.array(list(map(int, known)), pa.int64())
        found = keys(ids)
        order = np.argsort(found)
        found, here = found[order], np.zeros(len(found), bool)
        for shard in shards if len(found) else ():
            tasks = self._keys(shard).tasks
            place = np.searchsorted(tasks, found).clip(max=len(tasks) - 1)
            here |= tasks[place] == found
        if gold and not here.any():
            first = shown(next(iter(gold)))
            raise TableError(f"No task with gold has answers (the first is {first}).")
        if here.sum() < len(gold):
            left_out = len(gold) - int(here.sum())
            self.say(f"{left_out:,} of {len(gold):,} tasks with gold have no answers.")
        every = list(known)
        names = [every[at] for at in order[here].tolist()]
        fold = dict(zip(sorted(names), folds(len(names)).tolist(), strict=True))
        labels = [canonical[known[name]] for name in names]
        return found[here], labels, np.array([fold[name] for name in names], np.int8)

    def _code(self, shards: Sequence[Shard], meaning: Meaning) -> None:
        """Express shards by what their ids mean."""
        path = self.place / MEANING
        stored.save(path, meaning)
        tallies = self.pool.map(
            preparing.code, [(self.place / shard.name, path) for shard in shards]
        )
        for shard, tally in zip(shards, tallies, strict=True):
            shard.tally = tally

    def _totals(self, shards: Sequence[Shard], meaning: Meaning) -> Totals:
        """Return the totals of all shards."""
        k = len(meaning.classes)
        answers = np.zeros(len(meaning.workers), np.int64)
        for shard in shards:
            answers[self._annotators(shard)] += shard.tally.answers
        tallies = [shard.tally for shard in shards]
        votes: Floats = sum((each.votes for each in tallies), np.zeros(k))
        right = np.concatenate([each.right for each in tallies])
        doubt = gold_check.doubt(right, np.concatenate([each.gold for each in tallies]), votes)
        if doubt:
            warnings.warn(doubt, gold_check.GoldWarning, stacklevel=2)
        return Totals(
            tasks=sum(each.tasks for each in tallies),
            votes=votes,
            together=sum((each.together for each in tallies), np.zeros((k, k))),
            answers=answers,
            single=sum(each.single for each in tallies),
        )

    def _fitted(self, shards: Sequence[Shard], totals: Totals, *, by_gold: bool) -> Crowd:
        """Return the crowd after EM, which is kept for further passes."""
        crowd = Crowd(totals)

        def begin() -> None:
            self.say(f"Iteration {crowd.iterations + 1} of {ITERATIONS} at most.")

        self.work.fit(crowd, shards, by_gold=by_gold, begin=begin)
        return crowd

    def _fit_more(
        self, crowd: Crowd, earlier: State, shards: Sequence[Shard], touched: Sequence[Shard]
    ) -> None:
        """Learn more from shards that have new answers; the others' sums stay as they were.

        R. M. Neal and G. E. Hinton, "A view of the EM algorithm that justifies incremental, sparse,
        and other variants" (1998).
        """
        self.work.keep(crowd)
        self.work.over(touched, passes.group)
        compared = crowd.hierarchy.compared
        crowd.hierarchy = earlier.crowd.hierarchy
        crowd.hierarchy.compared, crowd.hierarchy.order = compared, np.zeros(0, np.intp)
        others = [shard for shard in shards if shard not in touched]
        settled = self.work.sums(crowd, others)
        if others:
            crowd.begin(settled)
        else:
            self.work.over(touched, passes.first_sums, False)
            crowd.begin(self.work.sums(crowd, touched))
        crowd.weight, crowd.truth = earlier.crowd.weight, earlier.crowd.truth.copy()
        for number in range(MORE):
            self.say(f"Iteration {number + 1} of {MORE}.")
            self.work.keep(crowd)
            self.work.over(touched, passes.sums)
            crowd.update(self.work.sums(crowd, shards))
        self.work.keep(crowd)

    def _judge(self, shards: Sequence[Shard], gold: Mapping[str, str]) -> None:
        """Find how far annotators err together on shards, and what they say of gold without it."""
        self.say("Measuring how far annotators err together.")
        for shard, excess in zip(shards, self.work.over(shards, passes.errors), strict=True):
            shard.excess = excess
        if not gold:
            return
        correlation = correlation_of(shards)
        judged: list[passes.Judged] = self.work.over(shards, passes.held_out, correlation)
        for shard, each in zip(shards, judged, strict=True):
            shard.posteriors, shard.truth = each.posteriors, each.truth

    def _write(
        self, shards: Sequence[Shard], changed: Sequence[Shard], meaning: Meaning, crowd: Crowd
    ) -> None:
        """Write the labels of those shards that have changed."""
        posteriors, truth = _gold_of(shards)
        calibration = fit(posteriors, truth, crowd.totals.votes) if len(truth) else IDENTITY
        self.say(f"Writing labels of {sum(each.tally.tasks for each in changed):,} tasks.")
        written = self.work.over(
            changed, passes.write, correlation_of(shards), calibration, meaning.classes
        )
        for shard, (total, labels) in zip(changed, written, strict=True):
            shard.total, shard.labels = total, labels

    def _keys(self, shard: Shard) -> preparing.KeysOf:
        found: preparing.KeysOf = stored.load(self.place / shard.name / preparing.KEYS)
        return found

    def _annotators(self, shard: Shard) -> npt.NDArray[np.intp]:
        coded: preparing.Coded = stored.load(self.place / shard.name / preparing.CODED)
        return coded.annotators


def correlation_of(shards: Sequence[Shard]) -> float:
    """Return the correlation of errors over all shards."""
    return sum((shard.excess for shard in shards), Excess()).correlation


def _gold_of(shards: Sequence[Shard]) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the posteriors (G, K) of all gold as if it were unknown, and the gold (G,)."""
    with_gold = [shard for shard in shards if len(shard.truth)]
    if not with_gold:
        return np.zeros((0, 0)), np.zeros(0, np.intp)
    posteriors = np.concatenate([shard.posteriors for shard in with_gold])
    return posteriors, np.concatenate([shard.truth for shard in with_gold])


def _is_whole(text: str) -> bool:
    try:
        return str(int(text)) == text and -(2**63) <= int(text) < 2**63
    except ValueError:
        return False
