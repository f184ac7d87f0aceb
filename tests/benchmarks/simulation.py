"""Labelling again with answers that people once gave, in the order that a selector would ask for.

A question is an item × a concept, "does it show a cat?"; where there are two classes it is the
item, "is it of the second class?". A recorded label answers yes where it names the concept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from crowds import Crowd, Floats, Ints, dawid_skene

from labeling.aggregation import aggregate, online

Bools = npt.NDArray[np.bool_]
Generator = np.random.Generator

PLACES = 6  # of a grid's nine tiles; three are gold
WINDOW = 24  # the most wanted, of which a grid draws
RANDOM = 0.1  # share of answers to questions that are drawn at random
OPEN, SETTLED, AMBIGUOUS = range(3)
SLACK = 2


class Answers:
    """What was answered so far, in order, whoever asked."""

    def __init__(self, questions: int) -> None:
        self.asked: list[int] = []
        self.by: list[int] = []
        self.said: list[bool] = []
        self.count = np.zeros(questions, np.intp)
        self.yes = np.zeros(questions, np.intp)

    def add(self, question: int, annotator: int, yes: bool) -> None:
        self.asked.append(question)
        self.by.append(annotator)
        self.said.append(yes)
        self.count[question] += 1
        self.yes[question] += yes

    def columns(self) -> tuple[Ints, Ints, Ints]:
        return np.array(self.asked, np.intp), np.array(self.by), np.array(self.said, np.intp)

    def __len__(self) -> int:
        return len(self.asked)


class Recorded:
    """A crowd's own answers: its annotators come in random order and answer what they once did."""

    def __init__(self, crowd: Crowd, draw: Generator) -> None:
        self.concepts = 1 if len(crowd.classes) == 2 else len(crowd.classes)
        self.truth = crowd.truth
        row = np.full(crowd.task.max() + 1, -1)
        row[crowd.known] = np.arange(len(crowd.known))
        kept = row[crowd.task] >= 0
        self.item, self.worker, self.label = (
            row[crowd.task[kept]],
            crowd.worker[kept],
            crowd.label[kept],
        )
        self.items, self.annotators = len(crowd.known), int(crowd.worker.max()) + 1
        self.draw = draw
        self.left: list[dict[int, bool]] = [{} for _ in range(self.annotators)]
        for item, worker, label in zip(self.item, self.worker, self.label, strict=True):
            for concept in range(self.concepts):
                wanted = 1 if self.concepts == 1 else concept
                self.left[worker][item * self.concepts + concept] = bool(label == wanted)
        self.arrivals = draw.permutation(np.repeat(self.worker, self.concepts)).tolist()

    def annotator(self) -> int | None:
        """Who comes next; the more answers one once gave, the more often."""
        return self.arrivals.pop() if self.arrivals else None

    def available(self, annotator: int) -> Ints:
        return np.fromiter(self.left[annotator], np.intp)

    def answer(self, annotator: int, question: int) -> bool:
        return self.left[annotator].pop(question)

    def at_random(self, most: int) -> Iterator[tuple[int, int, bool]]:
        """(question, annotator, yes) in random order, up to `most` a question."""
        everything = [(q, a, yes) for a, said in enumerate(self.left) for q, yes in said.items()]
        count = np.zeros(self.items * self.concepts, np.intp)
        for place in self.draw.permutation(len(everything)):
            question, annotator, yes = everything[place]
            if count[question] < most:
                count[question] += 1
                yield question, annotator, yes


class Counted:
    """Photographs of which it is known how many people gave each label, but not who.

    Each question draws from its photograph's labels without replacement. Whoever gave a label, it
    is said by one of a hundred annotators at random, and by nobody twice to a question.
    """

    def __init__(self, counts: Ints, truth: Ints, draw: Generator, annotators: int = 100) -> None:
        self.items, self.concepts = counts.shape
        self.truth, self.draw, self.annotators = truth, draw, annotators
        self.left = np.repeat(counts.sum(1), self.concepts)
        self.yes = counts.reshape(-1).copy()
        self.done: list[set[int]] = [set() for _ in range(annotators)]

    def annotator(self) -> int | None:
        return int(self.draw.integers(self.annotators))

    def available(self, annotator: int) -> Bools:
        free = self.left > 0
        free[list(self.done[annotator])] = False
        return free

    def answer(self, annotator: int, question: int) -> bool:
        yes = bool(self.draw.random() * self.left[question] < self.yes[question])
        self.left[question] -= 1
        self.yes[question] -= yes
        self.done[annotator].add(question)
        return yes

    def at_random(self, most: int) -> Iterator[tuple[int, int, bool]]:
        for question in self.draw.permutation(np.repeat(np.arange(self.left.size), most)).tolist():
            annotator = int(self.draw.integers(self.annotators))
            while question in self.done[annotator]:
                annotator = int(self.draw.integers(self.annotators))
            yield question, annotator, self.answer(annotator, question)


Supply = Recorded | Counted


def information(sensitivity: float, specificity: float, probability: Floats) -> Floats:
    """Bits by which an answer of these two coins is expected to lower the entropy."""
    yes = probability * sensitivity + (1 - probability) * (1 - specificity)
    noise = probability * _entropy(np.asarray(sensitivity))
    noise = noise + (1 - probability) * _entropy(np.asarray(specificity))
    bits: Floats = _entropy(yes) - noise
    return bits


def _entropy(p: Floats) -> Floats:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    bits: Floats = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    return bits


@dataclass(frozen=True)
class Rules:
    """When the product stops asking, and how it ranks."""

    settle_at: float = 0.95
    least: int = 2
    cap: int = 9
    finish: bool = False  # what was begun first
    rank: str = "information"


@dataclass
class Product:
    """The product's beliefs about all questions, and what it asks next."""

    supply: Supply
    prior: Floats  # (Q,) probabilities of yes before any answer
    rules: Rules
    draw: Generator
    counts: list[online.Counts] = field(init=False)

    def __post_init__(self) -> None:
        self.answers = Answers(len(self.prior))
        self.belief = self.prior.copy()
        self.state = np.full(len(self.prior), OPEN)
        self.counts = [online.Counts()] * self.supply.annotators
        self.concept = np.arange(len(self.prior)) % self.supply.concepts
        self.want: Floats = np.ones(self.supply.concepts)
        self.judge(np.arange(len(self.prior)))

    def challenge(self) -> bool | None:
        """Let the next annotator answer a grid. False if nothing is left for them; None: nobody."""
        annotator = self.supply.annotator()
        if annotator is None:
            return None
        picks = self._choose(annotator)
        for question in picks:
            self._hear(annotator, question)
        return bool(picks)

    def _choose(self, annotator: int) -> list[int]:
        free = self._mine(annotator)
        if not len(free):
            return []
        score = self._score(annotator, free)
        order = free[np.lexsort((self.draw.random(len(free)), -score))]
        lucky = int((self.draw.random(PLACES) < RANDOM).sum())
        drawn = self.draw.choice(free, min(lucky, len(free)), replace=False).tolist()
        window = self.draw.permutation(order[:WINDOW] if len(order) > WINDOW else order[:PLACES])
        likely = [q for q in window.tolist() if self.belief[q] >= 0.5]
        unlikely = [q for q in window.tolist() if self.belief[q] < 0.5]
        chosen = dict.fromkeys(drawn)
        for question in likely[: PLACES // 2] + unlikely + likely[PLACES // 2 :]:
            if len(chosen) < PLACES:
                chosen[question] = None
        return list(chosen)

    def _mine(self, annotator: int) -> Ints:
        """The open questions of one concept that the annotator may be asked."""
        available = self.supply.available(annotator)
        if available.dtype == bool:
            concept = self.draw.choice(len(self.want), p=self.want / self.want.sum())
            free = np.flatnonzero(available[concept :: len(self.want)]) * len(self.want) + concept
        else:
            free = available
        return free[self.state[free] == OPEN]

    def _score(self, annotator: int, questions: Ints) -> Floats:
        belief, count = self.belief[questions], self.answers.count[questions]
        if self.rules.rank == "information":
            coins = self.counts[annotator]
            score = information(coins.sensitivity, coins.specificity, belief)
        else:
            score = _entropy(belief)
        begun = (count > 0) & (count < self.rules.least)
        return np.where(begun, 1.0, score) if self.rules.finish else score

    def _hear(self, annotator: int, question: int) -> None:
        yes = self.supply.answer(annotator, question)
        coins, belief = self.counts[annotator], float(self.belief[question])
        odds = online.log_odds(belief) + online.evidence(coins, yes)
        self.belief[question] = online.probability(odds)
        self.counts[annotator] = online.credit(coins, yes, belief)
        self.answers.add(question, annotator, yes)
        self.judge(np.array([question]))

    def judge(self, questions: Ints) -> None:
        """Settle, give up or open again, as `labeling.beliefs.judge` does."""
        rules, count = self.rules, self.answers.count[questions]
        slack = np.where(self.state[questions] == SETTLED, SLACK, 1)
        doubt = np.minimum(self.belief[questions], 1 - self.belief[questions])
        sure = doubt <= (1 - rules.settle_at) * slack
        late = np.where(count >= rules.cap, AMBIGUOUS, OPEN)
        state = np.where(count < rules.least, OPEN, np.where(sure, SETTLED, late))
        self.state[questions] = state

    def recompute(self) -> None:
        """Believe anew from all answers at once; rate all annotators by it."""
        if not len(self.answers):
            return
        task, worker, label = self.answers.columns()
        asked = np.unique(task)
        prior = np.stack([1 - self.prior[asked], self.prior[asked]], 1)
        found = aggregate(task, worker, label, classes=[0, 1], prior=prior)
        self.belief[asked] = found.posterior[:, 1]
        self.judge(asked)
        self._rate(task, worker, label)
        open_ones = np.where(self.state == OPEN, _entropy(self.belief), 0.0)
        self.want = open_ones.reshape(-1, self.supply.concepts).sum(0) + 1e-9

    def _rate(self, task: Ints, worker: Ints, label: Ints) -> None:
        belief = self.belief[task]
        weight = np.abs(2 * belief - 1)
        parts = [
            np.bincount(worker, weight * share * (label == said), self.supply.annotators)
            for share, said in ((belief, 1), (belief, 0), (1 - belief, 0), (1 - belief, 1))
        ]
        self.counts = [online.Counts(*row) for row in np.stack(parts, 1).tolist()]


Curve = list[tuple[float, float]]  # answers an item, accuracy


def accuracy(supply: Supply, belief: Floats) -> float:
    """Of the class believed most of each item; among n equals each counts 1/n."""
    table = belief.reshape(-1, supply.concepts)
    if supply.concepts == 1:
        table = np.concatenate([1 - table, table], 1)
    best = table >= table.max(1, keepdims=True) - 1e-9
    return float((best[np.arange(supply.items), supply.truth] / best.sum(1)).mean())


def random_order(
    supply: Supply, share: float, every: int, infer: dict[str, Callable[[Answers, Supply], Floats]]
) -> dict[str, Curve]:
    """Questions in random order up to five times each; the curve of each way to add up."""
    answers = Answers(supply.items * supply.concepts)
    curves: dict[str, Curve] = {name: [] for name in infer}

    def note() -> None:
        for name, method in infer.items():
            said = accuracy(supply, np.where(answers.count > 0, method(answers, supply), share))
            curves[name].append((len(answers) / supply.items, said))

    for question, annotator, yes in supply.at_random(5):
        answers.add(question, annotator, yes)
        if len(answers) % every == 0:
            note()
    note()
    return curves


def majority(answers: Answers, supply: Supply) -> Floats:
    """Shares of yes, with one vote more of what is usual, so that more of the same says more."""
    usual = 1 / supply.concepts if supply.concepts > 1 else 0.5
    shares: Floats = (answers.yes + usual) / (answers.count + 1)
    return shares


def plain_em(answers: Answers, supply: Supply) -> Floats:
    """Dawid-Skene's probability of yes."""
    task, worker, label = answers.columns()
    shape = len(answers.count), supply.annotators, 2
    return dawid_skene(task, worker, label, shape)[:, 1]


def ours(answers: Answers, supply: Supply) -> Floats:
    """This product's probability of yes."""
    task, worker, label = answers.columns()
    found = aggregate(task, worker, label, classes=[0, 1])
    belief = np.zeros(len(answers.count))
    belief[found.tasks] = found.posterior[:, 1]
    return belief


def selected(product: Product, every: int) -> Curve:
    """The curve of the product's own choices until nothing is open, or nobody comes any more."""
    curve: Curve = [(0.0, accuracy(product.supply, product.belief))]
    due, idle = every, 0
    while idle < 500:
        went = product.challenge()
        if went is None:
            break
        idle = 0 if went else idle + 1
        if len(product.answers) >= due:
            product.recompute()
            curve.append(_point(product))
            due += every
        if idle and not (product.state == OPEN).any():
            break
    product.recompute()
    return [*curve, _point(product)]


def _point(product: Product) -> tuple[float, float]:
    return len(product.answers) / product.supply.items, accuracy(product.supply, product.belief)
