"""Answers of real crowds, replayed one at a time in random order, beside all of them at once.

Each answer updates its question and its annotator at once, as in the product. A set of two classes
is one yes/no question a task; of more classes, one question a task and class, whose probabilities
are scaled to a sum of one. "Live" is never recomputed; "halfway" is recomputed once, after half of
the answers, as the product does every minute. The gap is the mean difference of probabilities from
those of the batch method on the same yes/no questions. Prints Markdown.

python tests/benchmarks/replay.py DATA_FOLDER [SEEDS], which holds a folder a data set with
answers.csv (task,worker,label) and truth.csv (task,label).
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.aggregation import aggregate, binary, drift, online, online_tempering
from labeling.aggregation.answers import encode

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]
WAYS = "all classes at once", "yes/no, all at once", "live", "halfway"


@dataclass
class Stream:
    """Answers of yes and no to Q questions, in order of time."""

    question: Ints
    annotator: Ints
    value: Bools
    prior: float
    questions: int
    annotators: int

    def inferred(self, end: int, prior: float) -> binary.BinaryAggregate:
        """By the first `end` answers at once."""
        return binary.infer(
            self.question[:end],
            self.annotator[:end],
            self.value[:end],
            prior=np.full(self.questions, prior),
            verdict=np.full(self.questions, -1, np.int8),
            gold=np.zeros(self.questions, bool),
            suspect=np.zeros(end, bool),
            annotators=self.annotators,
        )


class Live:
    """What is believed while answers come, by the rules of `labeling.answers`."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.prior, self.tempering = stream, stream.prior, online.Tempering()
        self.counts = [online.ConfusionCounts()] * stream.annotators
        self.votes: list[list[tuple[int, bool]]] = [[] for _ in range(stream.questions)]
        self.believed = np.full(stream.questions, self.prior)
        self.drift_score = [0.0] * stream.annotators

    def record(self, start: int, end: int) -> None:
        """One answer after the other."""
        stream = self.stream
        columns = stream.question, stream.annotator, stream.value
        for question, who, value in zip(*(c[start:end].tolist() for c in columns), strict=True):
            if self.drift_score[who] >= drift.THRESHOLD:
                continue
            votes = self.votes[question]
            others = [online.evidence(self.counts[other], vote) for other, vote in votes]
            if others:
                yes = online.tempered_posterior(self.prior, others)
                usual = online.reliability_lower_bound(self.counts[who])
                right = yes if value else 1 - yes
                self.drift_score[who] = drift.score(self.drift_score[who], right, usual)
            mine = online.evidence(self.counts[who], value)
            self.believed[question] = online.tempered_posterior(
                self.prior, [*others, mine], self.tempering
            )
            posterior = online.untempered_posterior(self.prior, others)
            self.counts[who] = online.update_counts(self.counts[who], value, posterior)
            votes.append((who, value))

    def recompute(self, end: int) -> None:
        """By all answers up to now, as `labeling.inference.posteriors` does."""
        stream = self.stream
        found = stream.inferred(end, self.prior)
        asked = np.unique(stream.question[:end])
        annotator = stream.annotator[:end]
        accuracies = found.sensitivity[annotator], found.specificity[annotator]
        evidence = online_tempering.evidence(*accuracies, stream.value[:end])
        place = np.searchsorted(asked, stream.question[:end])
        prior, posterior = np.full(len(asked), self.prior), found.probability[asked]
        self.tempering = online_tempering.fit_tempering(place, evidence, prior, posterior)
        self.believed[asked] = posterior
        counts = binary.confusion_counts(
            found, stream.question[:end], annotator, stream.value[:end]
        )
        for who in np.unique(annotator).tolist():
            self.counts[who] = online.forget(online.ConfusionCounts(*counts[who].tolist()))


def measure(folder: Path, seeds: int) -> list[float]:
    """Accuracy and NLL of each way, the gaps of the last two from the second, and the suspect.

    Of those the number, and how often the best of them was right.
    """
    task, worker, label = _read(folder / "answers.csv")
    names, truths = _read(folder / "truth.csv")
    classes = sorted({*label, *truths})
    answers = encode(task, worker, label, classes=classes)
    rows = {name: row for row, name in enumerate(answers.tasks.tolist())}
    known = [(rows[t], classes.index(c)) for t, c in zip(names, truths, strict=True) if t in rows]
    at, truth = np.array(known).T
    columns = [c.astype(np.intp) for c in (answers.task, answers.worker, answers.label)]
    whole = aggregate(*columns, classes=list(range(len(classes)))).posterior
    figures, rights = [], list[float]()
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(columns[0]))
        stream = _stream([column[order] for column in columns], len(classes))
        size = len(stream.question)
        batch = stream.inferred(size, stream.prior).probability
        live, halfway = Live(stream), Live(stream)
        live.record(0, size)
        halfway.record(0, size // 2)
        halfway.recompute(size // 2)
        halfway.record(size // 2, size)
        asked = np.unique(stream.question)
        believed = batch, live.believed, halfway.believed
        shares = [whole, *(_shares(each, len(classes)) for each in believed)]
        row = [figure for each in shares for figure in _scores(each[at], truth)]
        gaps = [float(np.abs(each - batch)[asked].mean()) for each in believed[1:]]
        suspect = [who for who, score in enumerate(live.drift_score) if score >= drift.THRESHOLD]
        truths_of = np.full(len(answers.tasks), -1)
        truths_of[at] = truth
        rights += [_right(columns, truths_of, who) for who in suspect]
        figures.append([*row, *gaps, len(suspect)])
    mean: list[float] = np.mean(figures, axis=0).tolist()
    return [*mean, max(rights, default=float("nan"))]


def _right(columns: list[Ints], truth: Ints, who: int) -> float:
    """How often somebody was right."""
    task, worker, label = columns
    theirs = (worker == who) & (truth[task] >= 0)
    return float((label == truth[task])[theirs].mean())


def _stream(columns: list[Ints], classes: int) -> Stream:
    task, worker, label = columns
    people = int(worker.max()) + 1
    if classes == 2:
        return Stream(task, worker, label == 1, 0.5, int(task.max()) + 1, people)
    which = np.tile(np.arange(classes), len(task))
    question = np.repeat(task * classes, classes) + which
    value = np.repeat(label, classes) == which
    size = (int(task.max()) + 1) * classes
    return Stream(question, np.repeat(worker, classes), value, 1 / classes, size, people)


def _shares(believed: Floats, classes: int) -> Floats:
    """(T, K) probabilities of classes."""
    if classes == 2:
        return np.stack([1 - believed, believed], 1)
    rows = believed.reshape(-1, classes).clip(1e-9)
    shares: Floats = rows / rows.sum(1, keepdims=True)
    return shares


def _scores(posterior: Floats, truth: Ints) -> tuple[float, float]:
    chance = posterior[np.arange(len(truth)), truth].clip(min=1e-12)
    return float((posterior.argmax(1) == truth).mean()), float(-np.log(chance).mean())


def _read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return [list(column) for column in zip(*rows[1:], strict=True)]


def main(argv: list[str]) -> int:
    if len(argv) not in (2, 3) or not Path(argv[1]).is_dir():
        print("Name one folder that holds a folder a data set.", file=sys.stderr)
        return 2
    folders = sorted(path.parent for path in Path(argv[1]).glob("*/truth.csv"))
    if not folders:
        print(f"No folder in {argv[1]} holds answers.csv and truth.csv.", file=sys.stderr)
        return 2
    columns = [f"{way}: {what}" for way in WAYS for what in ("acc", "NLL")]
    columns += [f"gap {way}" for way in WAYS[2:]] + ["suspect", "best of them"]
    print(f"| set | {' | '.join(columns)} |\n|---|" + "---:|" * len(columns))
    table = []
    for folder in folders:
        table.append(measure(folder, int(argv[2]) if len(argv) == 3 else 3))
        print(f"| {folder.name} | " + " | ".join(f"{f:.3f}" for f in table[-1]) + " |", flush=True)
    mean = np.mean(table, axis=0)[:-2]
    print("| **mean** | " + " | ".join(f"{figure:.3f}" for figure in mean) + " | | |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
