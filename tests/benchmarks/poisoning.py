"""How far labels can be poisoned, and how soon attackers are found out. Prints Markdown.

Yes/no questions, five answers each, in random order; a share of the answers is to gold, questions
of known truth that look like the others. Answers are believed as they come and all is recomputed
twenty times, by the rules of `labeling.answers` and `labeling.inference`. Attackers:

- clickers: 40 % of all answers are given by people who guess
- liars, yes-sayers, no-sayers: a clique of 20 % of all people who always say what is wrong, yes, no
- plotters: a clique of 20 % who lie about every other question, the same ones, and are right about
  all others
- sleepers: a clique of 20 % who are right for 200 answers, and lie from then on
- turncoats: a clique of 20 % who know all gold, and lie about every fourth of the other questions,
  the same ones; from 400 answers on they lie about all

Each is compared with the same answers without the attackers'. People who are found out are suspect,
or rated .7 at the very most. Where a folder is given that holds cifar10/human_counts_test.csv,
honest answers are also drawn from what real people answered to those pictures; and, of ten classes
at once, a clique of 20 % always takes each class for the next one.

    python tests/benchmarks/poisoning.py [DATA_FOLDER]
"""

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from product import prevalence

from labeling.aggregation import aggregate, binary, drift, earnest, online

QUESTIONS, EACH, PEOPLE = 6_000, 5, 60
CLICKERS, CLIQUE, SLEEP, TURN = 0.4, 0.2, 200, 400
GOLD = 0.0, 0.05, 0.1
ROUNDS = 20  # recomputations
FOUND = 0.7  # at most, by its 90 % interval, is a reliability that is found out
ATTACKS = "clickers", "liars", "yes-sayers", "no-sayers", "plotters", "sleepers", "turncoats"
SEEDS = 3

NEWCOMER = online.ConfusionCounts()
Generator = np.random.Generator
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Crowd = tuple[Bools, Callable[[Index, Index], Bools]]  # truth, and what honest people say


def simulated(draw: Generator) -> Crowd:
    """Three in ten are true; people are right about nine times in ten, each in their own way."""
    truth = draw.random(QUESTIONS) < 0.3
    accuracies = draw.beta(18, 2, (2, PEOPLE))

    def says(question: Index, person: Index) -> Bools:
        right = draw.random(len(question)) < accuracies[truth[question].astype(int), person]
        yes: Bools = truth[question] == right
        return yes

    return truth, says


def recorded(folder: Path, draw: Generator) -> Crowd:
    """Real pictures and what people took them for: "does it show …?" of what they mixed up most."""
    with (folder / "cifar10" / "human_counts_test.csv").open(newline="") as file:
        rows = np.array(list(csv.reader(file))[1:], int)
    rows = rows[draw.permutation(len(rows))[:QUESTIONS]]
    counts, shown = rows[:, 1:-1], rows[:, -1]
    others = counts + draw.random(counts.shape)
    others[np.arange(len(rows)), shown] = -1
    truth = draw.random(len(rows)) < 0.5
    concept = np.where(truth, shown, others.argmax(1))
    yes = counts[np.arange(len(rows)), concept] / counts.sum(1)
    return truth, lambda question, _: draw.random(len(question)) < yes[question]


@dataclass
class Stream:
    """Answers in order of time; attackers are the people from `PEOPLE - attackers` on."""

    truth: Bools  # (Q,)
    verdict: npt.NDArray[np.int8]  # (Q,) of gold, else -1
    question: Index
    person: Index
    value: Bools
    attacker: Bools  # (PEOPLE,)


def attacked(crowd: Crowd, attack: str, gold: float, draw: Generator) -> Stream:
    """Everybody answers as often; a share of what each is asked is gold."""
    truth, says = crowd
    people = np.arange(PEOPLE)
    attacker = people >= PEOPLE * (1 - (CLICKERS if attack == "clickers" else CLIQUE))
    verdict = np.full(len(truth), -1, np.int8)
    known = draw.permutation(len(truth))[: int(0.05 * len(truth))]
    if gold:
        verdict[known] = truth[known]
    unknown = np.flatnonzero(verdict < 0)
    total = int(len(unknown) * EACH / (1 - gold))
    asked = draw.permutation(np.repeat(unknown, EACH))
    asked = np.insert(asked, draw.integers(0, len(asked), total - len(asked)), -1)
    asked[asked < 0] = draw.choice(known, int((asked < 0).sum()))
    person = _once(asked, draw)
    value = says(asked, person)
    lies, count = ~truth[asked], np.zeros(len(asked), int)
    for who in people.tolist():
        theirs = person == who
        count[theirs] = np.arange(theirs.sum())
    acts = {
        "clickers": draw.random(len(asked)) < 0.5,
        "liars": lies,
        "yes-sayers": np.ones(len(asked), bool),
        "no-sayers": np.zeros(len(asked), bool),
        "plotters": np.where(asked % 2 == 0, lies, truth[asked]),
        "sleepers": np.where(count < SLEEP, value, lies),
        "turncoats": np.where(
            (count < TURN) & ((asked % 4 > 0) | (verdict[asked] >= 0)), truth[asked], lies
        ),
    }
    return Stream(
        truth, verdict, asked, person, np.where(attacker[person], acts[attack], value), attacker
    )


def _once(asked: Index, draw: Generator) -> Index:
    """(N,) people drawn at random, hardly anybody for the same question twice."""
    person = draw.integers(0, PEOPLE, len(asked))
    for _ in range(20):
        _, first = np.unique(asked * PEOPLE + person, return_index=True)
        again = np.setdiff1d(np.arange(len(asked)), first)
        person[again] = draw.integers(0, PEOPLE, len(again))
    return person


@dataclass
class Person:
    counts: online.ConfusionCounts = NEWCOMER
    drift_score: float = 0.0
    spells: list[tuple[int, int | None]] = field(default_factory=list)  # (start, stop) of suspicion
    answers: int = 0
    found: int | None = None  # how many answers it took

    @property
    def suspect(self) -> bool:
        return bool(self.spells) and self.spells[-1][1] is None

    def weighs(self, at: int) -> bool:
        return not any(start <= at and (stop is None or at < stop) for start, stop in self.spells)

    def watch(self, right: float, at: int) -> None:
        self.drift_score = drift.score(
            self.drift_score, right, online.reliability_lower_bound(self.counts)
        )
        if self.drift_score >= drift.THRESHOLD and not self.suspect:
            self.spells.append((at, None))
        elif self.drift_score <= 0 and self.suspect:
            self.spells[-1] = self.spells[-1][0], at


class Live:
    """All that is believed while answers come."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.people = [Person() for _ in range(PEOPLE)]
        self.votes: list[list[tuple[int, int]]] = [[] for _ in stream.truth]  # (answer, person)
        self.prevalence = 0.5

    def run(self) -> Floats:
        """Return the probabilities of "yes" after all answers and recomputations."""
        size = len(self.stream.question)
        for start, end in pairwise(np.linspace(0, size, ROUNDS + 1).astype(int).tolist()):
            for at in range(start, end):
                self.record(at)
            inferred = self.recompute(end)
        return inferred.probability

    def record(self, at: int) -> None:
        stream = self.stream
        question, person = int(stream.question[at]), self.people[stream.person[at]]
        value, verdict = bool(stream.value[at]), int(stream.verdict[question])
        person.answers += 1
        if verdict >= 0:
            person.watch(float(value == verdict), at)
            if not person.suspect:
                person.counts = online.update_counts(person.counts, value, float(verdict))
        elif not person.suspect:
            others = [
                earnest.evidence(self.people[who].counts, bool(stream.value[other]))
                for other, who in self.votes[question]
                if self.people[who].weighs(other)
            ]
            if others:
                yes = online.tempered_posterior(self.prevalence, others)
                person.watch(yes if value else 1 - yes, at)
            posterior = online.untempered_posterior(self.prevalence, others)
            person.counts = online.update_counts(person.counts, value, posterior)
        self.votes[question].append((at, int(stream.person[at])))
        self._find(person)

    def recompute(self, end: int) -> binary.BinaryAggregate:
        stream, size = self.stream, len(self.people)
        person = stream.person[:end]
        weighs = [self.people[who].weighs(at) for at, who in enumerate(person.tolist())]
        inferred = binary.infer(
            stream.question[:end],
            person,
            stream.value[:end],
            prior=np.full(len(stream.truth), self.prevalence),
            verdict=stream.verdict,
            gold=stream.verdict >= 0,
            suspect=~np.array(weighs, bool),
            annotators=size,
            weight=self._weights(end),
        )
        asked = np.unique(stream.question[:end])
        drawn = inferred.probability[asked[stream.verdict[asked] < 0]]
        sample = prevalence.Sample(1, len(drawn), float(drawn.sum()))
        self.prevalence = prevalence.estimate(self.prevalence, [sample], {1: len(stream.truth)})
        yes = inferred.probability[stream.question[:end]]
        counts = binary.confusion_counts(
            inferred, stream.question[:end], person, stream.value[:end]
        )
        for who, each in enumerate(self.people):
            theirs = (person == who) & ~inferred.suspect
            if theirs.any():
                each.counts = online.forget(online.ConfusionCounts(*counts[who].tolist()))
            newest_trusted = np.flatnonzero(theirs).max(initial=-1)
            guessed = (person == who) & (np.arange(end) > newest_trusted)
            rights = np.where(stream.value[:end], yes, 1 - yes)
            share = _shrunk(rights[guessed], drift.GUESSING)
            unknown = guessed & (stream.verdict[stream.question[:end]] < 0)
            share = min(share, _shrunk(rights[unknown], share))
            if each.suspect and share >= drift.REINSTATED:
                each.spells.pop()
                each.drift_score = 0.0
            if who in inferred.earlier and each.spells:
                each.spells[-1] = inferred.earlier[who], each.spells[-1][1]
            if who in inferred.change_points and not each.suspect:
                each.spells.append((inferred.change_points[who], None))
                each.drift_score = drift.THRESHOLD
            self._find(each)
        return inferred

    def _weights(self, end: int) -> Floats:
        """Return (N,) what each answer weighs, as of `labeling.inference.weights`."""
        trust = [
            [earnest.trust(each.counts, value) for value in (False, True)] for each in self.people
        ]
        rows, columns = self.stream.person[:end], self.stream.value[:end].astype(int)
        return np.array(trust)[rows, columns].clip(1e-3)

    def _find(self, person: Person) -> None:
        if person.found is not None:
            return
        _, _, high = online.reliability(person.counts)
        if person.suspect or high <= FOUND:
            person.found = person.answers


def _shrunk(right: Floats, expected: float) -> float:
    """Return the mean of so many, and of `drift.PRIOR_ANSWERS` as expected."""
    hits = float(right.sum()) + drift.PRIOR_ANSWERS * expected
    return hits / (len(right) + drift.PRIOR_ANSWERS)


def majority(stream: Stream) -> Bools:
    """Return (Q,) the majority of answers, ties at random."""
    signs = np.bincount(stream.question, np.where(stream.value, 1.0, -1.0), len(stream.truth))
    coin = np.random.default_rng(0).random(len(signs)) < 0.5
    return np.where(signs == 0, coin, signs > 0)


def without(stream: Stream) -> Stream:
    honest = ~stream.attacker[stream.person]
    columns = stream.question[honest], stream.person[honest], stream.value[honest]
    return Stream(stream.truth, stream.verdict, *columns, stream.attacker)


def measure(make: Callable[[Generator], Crowd], attack: str, gold: float) -> list[float]:
    """Majority's and our accuracy without and with the attackers; how soon they are found out."""
    rows, found, missed, blamed = [], [], [], []
    for seed in range(SEEDS):
        draw = np.random.default_rng(seed)
        stream = attacked(make(draw), attack, gold, draw)
        unknown = stream.verdict < 0

        def right(label: Bools) -> float:
            return 100 * float((label == stream.truth)[unknown].mean())  # noqa: B023

        row = []
        for each in (without(stream), stream):
            live = Live(each)
            row += [right(majority(each)), right(live.run() >= 0.5)]
        rows.append(row)
        theirs = [p.found for p, bad in zip(live.people, stream.attacker, strict=True) if bad]
        since = {"sleepers": SLEEP, "turncoats": TURN}.get(attack, 0)
        found += [answers - since for answers in theirs if answers is not None]
        missed.append(np.mean([answers is None for answers in theirs]))
        honest = [p for p, bad in zip(live.people, stream.attacker, strict=True) if not bad]
        blamed.append(np.mean([p.found is not None for p in honest]))
    soon = np.percentile(found, [50, 90]).tolist() if found else [float("nan")] * 2
    return [*np.mean(rows, 0), *soon, 100 * float(np.mean(missed)), 100 * float(np.mean(blamed))]


def permuted(folder: Path, gold: float, seed: int) -> list[float]:
    """Ten classes at once, all the clique takes each for the next one: what `measure` gives."""
    draw = np.random.default_rng(seed)
    with (folder / "cifar10" / "human_counts_test.csv").open(newline="") as file:
        rows = np.array(list(csv.reader(file))[1:], int)
    rows = rows[draw.permutation(len(rows))[:QUESTIONS]]
    counts, truth = rows[:, 1:-1], rows[:, -1]
    asked = np.repeat(np.arange(len(rows)), EACH)
    person = _once(asked, draw)
    chance = counts[asked].cumsum(1) / counts[asked].sum(1, keepdims=True)
    label = (draw.random(len(asked))[:, None] > chance).sum(1)
    attacker = person >= PEOPLE * (1 - CLIQUE)
    label = np.where(attacker, (truth[asked] + 1) % 10, label)
    known = draw.permutation(len(rows))[: int(gold * len(rows))]
    unknown = np.setdiff1d(np.arange(len(rows)), known)
    truths = dict(zip(known.tolist(), truth[known].tolist(), strict=True))
    figures = []
    for kept in (~attacker, np.ones(len(asked), bool)):
        columns = asked[kept], person[kept], label[kept]
        votes = np.zeros((len(rows), 10))
        np.add.at(votes, (asked[kept], label[kept]), 1 + 0.01 * draw.random(kept.sum()))
        found = aggregate(*columns, gold=truths, classes=list(range(10)))
        ours = np.full(len(rows), -1)
        ours[found.tasks] = found.label
        figures += [
            100 * float((each == truth)[unknown].mean()) for each in (votes.argmax(1), ours)
        ]
    return figures


def main(argv: list[str]) -> int:
    crowds: dict[str, Callable[[Generator], Crowd]] = {"simulated": simulated}
    if len(argv) == 2:
        folder = Path(argv[1])
        if not (folder / "cifar10" / "human_counts_test.csv").is_file():
            print(f"{folder} holds no cifar10/human_counts_test.csv.", file=sys.stderr)
            return 2
        crowds["CIFAR-10H"] = lambda draw: recorded(folder, draw)
    print(
        "| crowd | attack | gold | majority without | with | ours without | with | points lost "
        "| found out after, median | p90 | never, % | blamed, % |\n|---|---|" + "---:|" * 10
    )
    for name, make in crowds.items():
        for attack in ATTACKS:
            for gold in GOLD:
                votes, ours, voted, held, *found = measure(make, attack, gold)
                cells = [votes, voted, ours, held, ours - held, *found]
                figures = " | ".join(f"{figure:.1f}" for figure in cells)
                print(f"| {name} | {attack} | {gold:.0%} | {figures} |", flush=True)
    if len(argv) == 2:
        _report_permuted(folder)
    return 0


def _report_permuted(folder: Path) -> None:
    print(
        "\n| ten classes, gold | majority without | with | ours without | with | points lost |\n"
        "|---|" + "---:|" * 5
    )
    for gold in GOLD:
        seeds = [permuted(folder, gold, seed) for seed in range(SEEDS)]
        votes, ours, voted, held = np.mean(seeds, 0)
        cells = " | ".join(f"{cell:.1f}" for cell in (votes, voted, ours, held, ours - held))
        print(f"| {gold:.0%} | {cells} |", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
