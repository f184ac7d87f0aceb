"""Labelling again, with people's recorded answers, in the order that a selector asks for them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from crowds import Floats, Ints, dawid_skene
from scipy.special import entr, expit, logit  # type: ignore[import-untyped]
from supplies import Answers, Bools, Generator, Supply

from labeling.aggregation import aggregate, binary, model_weight, online, online_tempering
from labeling.aggregation.information import information_gain, relative_value

PLACES = 6  # of a grid's nine tiles; three are gold
WINDOW = 12  # the most wanted, and as many of the likely, of which a grid is put together
CHANCE = 0.2  # how far chance moves a rank
RANDOM = 0.1  # share of answers to questions that are drawn at random
OPEN, SETTLED, AMBIGUOUS = range(3)
SLACK = 2
TUNED_BY = 5_000  # questions by which the temper is tuned
LARGEST = 3.0  # log-odds: an opinion counts at most as one answer may
HEARD = 1.0  # log-odds from which on an opinion stands for one of the answers needed
GROWTH = 1.2  # trust is learned anew when so many times as many questions are known


@dataclass(frozen=True)
class Rules:
    """A project's, by default; `finish`: the share of what was begun that is asked first."""

    settle_at: float = 0.95
    least: int = 2
    cap: int = 9
    cost: float = 0.25
    finish: float = 1 / 3


@dataclass
class Product:
    """What the product believes of all questions, and what it asks next.

    The steps are those of `labeling.answers`, `selector`, `beliefs`, `inference` and `opinions`,
    with arrays in the place of tables; what they reckon with is the product's own. There is no
    gold, which would take a third of a grid.
    """

    supply: Supply
    base: Floats  # (Q,) probabilities of yes before any answer: how frequent the concept is
    opinion: Floats | None  # (Q,) a model's
    rules: Rules
    draw: Generator

    def __post_init__(self) -> None:
        count, self.concepts = len(self.base), self.supply.concepts
        self.answers = Answers(count)
        self.said: list[list[tuple[int, bool]]] = [[] for _ in range(count)]
        self.counts = [online.ConfusionCounts()] * self.supply.annotators
        self.temper = online.Tempering()
        self.trust = np.full(self.concepts, model_weight.DEFAULT_WEIGHT)
        self.known = np.zeros(self.concepts)
        self.gain = np.zeros(count)
        if self.opinion is not None:
            self.gain = (logit(self.opinion) - logit(self.base)).clip(-LARGEST, LARGEST)
        self.prior = self._prior()
        self.belief = self.prior.copy()
        self.state = np.full(count, OPEN)
        self.random_key = self.draw.random(count)

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
        """A random slice, then by halves what is likely and what is not, the worthiest first."""
        free = self._mine(annotator)
        if not len(free):
            return []
        lucky = int((self.draw.random(PLACES) < RANDOM).sum())
        chosen = dict.fromkeys(self.draw.choice(free, min(lucky, len(free)), False).tolist())
        begun = self._begun(free)
        priority = np.where(begun, 1.0, _entropy(self.belief[free]))
        order = free[np.lexsort((self.draw.random(len(free)), -priority))]
        window = np.union1d(order[:WINDOW], order[self.belief[order] >= 0.5][:WINDOW])
        ranked = window[np.argsort(-self._scores(annotator, window))]
        likely = ranked[self.belief[ranked] >= 0.5].tolist()
        unlikely = ranked[self.belief[ranked] < 0.5].tolist()
        for question in likely[: PLACES // 2] + unlikely + likely[PLACES // 2 :]:
            if len(chosen) < PLACES:
                chosen[question] = None
        return list(chosen)

    def _mine(self, annotator: int) -> Ints:
        """The open questions that the annotator may be asked; of many, those of one concept."""
        free = self.supply.available(annotator)
        if free.dtype == bool:
            wanted = np.where(self.state == OPEN, _entropy(self.belief), 0.0)
            wanted = np.sort(
                wanted.reshape(-1, self.concepts)[:: max(1, self.supply.items // 500)], 0
            )
            want = wanted[-50:].sum(0) + 1e-3
            concept = self.draw.choice(self.concepts, p=want / want.sum())
            free = np.flatnonzero(free[concept :: self.concepts]) * self.concepts + concept
        return free[self.state[free] == OPEN]

    def _begun(self, questions: Ints) -> Bools:
        count = self.answers.count[questions]
        begun: Bools = (count > 0) & (count < self.rules.least)
        return begun & (self.random_key[questions] < self.rules.finish)

    def _scores(self, annotator: int, questions: Ints) -> Floats:
        """Bits that the annotator's answers are expected to bring, moved a little by chance."""
        begun, coins = self._begun(questions), self.counts[annotator]
        belief = np.where(begun, 0.5, self.belief[questions])
        bits = information_gain(coins.sensitivity, coins.specificity, belief)
        moved = 1 - CHANCE * self.draw.random(len(questions))
        scores: Floats = bits * moved / (1 - CHANCE * begun)
        return scores

    def _hear(self, annotator: int, question: int) -> None:
        yes = self.supply.answer(annotator, question)
        prior, coins = float(self.prior[question]), self.counts[annotator]
        others = [online.evidence(self.counts[who], said) for who, said in self.said[question]]
        worth = [*others, online.evidence(coins, yes)]
        self.belief[question] = online.tempered_posterior(prior, worth, self.temper)
        self.counts[annotator] = online.update_counts(
            coins, yes, online.untempered_posterior(prior, others)
        )
        self.answers.add(question, annotator, yes)
        self.said[question].append((annotator, yes))
        self._judge(question)

    def _judge(self, question: int) -> None:
        """Settle, give up or open again."""
        rules, count = self.rules, int(self.answers.count[question])
        state, belief = self.state[question], float(self.belief[question])
        bearable = (1 - rules.settle_at) * (SLACK if state == SETTLED else 1)
        if count < self._needed(question, belief):
            self.state[question] = OPEN
        elif min(belief, 1 - belief) <= bearable:
            self.state[question] = SETTLED
        else:
            self.state[question] = OPEN if self._worth_asking(question) else AMBIGUOUS

    def _needed(self, question: int, belief: float) -> int:
        """A model that clearly says the same stands for one person, but never for all."""
        told = float(logit(self.prior[question]) - logit(self.base[question]))
        least = self.rules.least
        return least - (least > 1 and (told if belief >= 0.5 else -told) >= HEARD)

    def _worth_asking(self, question: int) -> bool:
        rules, count = self.rules, int(self.answers.count[question])
        if count >= rules.cap:
            return False
        yes = int(self.answers.yes[question])
        worth = relative_value(
            float(self.belief[question]),
            prior=float(self.prior[question]),
            yes=yes,
            no=count - yes,
            left=rules.cap - count,
            settle_at=max(1 - SLACK * (1 - rules.settle_at), 0.5),
        )
        return worth >= rules.cost * (SLACK if self.state[question] == AMBIGUOUS else 1)

    def recompute(self) -> None:
        """Believe anew from all answers at once; rate all annotators, and the model, by it."""
        if not len(self.answers):
            return
        question, annotator, value = self.answers.columns()
        if self.opinion is not None:
            self._listen()
        size = len(self.base)
        found = binary.infer(
            question,
            annotator,
            value.astype(bool),
            prior=self.prior,
            verdict=np.full(size, -1, np.int8),
            gold=np.zeros(size, bool),
            suspect=np.zeros(len(question), bool),
            annotators=self.supply.annotators,
        )
        self.belief = found.probability.copy()
        for each in np.flatnonzero(self.answers.count):
            self._judge(int(each))
        self._rate(question, annotator, found)
        self._tune(question, annotator, value, found)

    def _rate(self, question: Ints, annotator: Ints, found: binary.BinaryAggregate) -> None:
        """Such counts that the coins are those found."""
        yes, parts = found.probability[question], []
        for coin, chance in ((found.sensitivity, yes), (found.specificity, 1 - yes)):
            shown = np.bincount(annotator, chance, self.supply.annotators)
            hits = coin * (shown + online.PRIOR_RIGHT + online.PRIOR_WRONG) - online.PRIOR_RIGHT
            hits = np.nan_to_num(hits).clip(0, shown)
            parts += [hits, shown - hits]
        rows = np.stack(parts, 1).tolist()
        self.counts = [online.forget(online.ConfusionCounts(*row)) for row in rows]

    def _tune(self, asked: Ints, by: Ints, value: Ints, found: binary.BinaryAggregate) -> None:
        drawn = self.draw.permutation(np.unique(asked))[:TUNED_BY]
        place = np.full(len(self.base), -1)
        place[drawn] = np.arange(len(drawn))
        used = place[asked] >= 0
        coins = found.sensitivity[by[used]], found.specificity[by[used]]
        ratios = online_tempering.evidence(*coins, value[used].astype(bool))
        targets = self.prior[drawn], found.probability[drawn]
        self.temper = online_tempering.fit_tempering(place[asked[used]], ratios, *targets)

    def _listen(self) -> None:
        """Trust the model concept by concept, as far as people's answers bear it out."""
        for concept in range(self.concepts):
            rows = np.arange(concept, len(self.base), self.concepts)
            asked = rows[self.answers.count[rows] > 0]
            if len(asked) > GROWTH * self.known[concept]:
                self.known[concept] = len(asked)
                worth = np.array([self._worth(question) for question in asked.tolist()])
                before = logit(self.base[asked])
                self.trust[concept] = model_weight.fit_model_weight(self.gain[asked], before, worth)
        move = logit(self._prior()) - logit(self.prior)
        self.belief = expit(logit(self.belief.clip(1e-6, 1 - 1e-6)) + move)
        self.prior = self._prior()

    def _worth(self, question: int) -> float:
        """What a question's answers are worth together, in log-odds."""
        said = self.said[question]
        worth = sum(online.evidence(self.counts[who], yes) for who, yes in said)
        return worth * self.temper.strength / (1 + online.ANSWER_CORRELATION * (len(said) - 1))

    def _prior(self) -> Floats:
        told = np.tile(self.trust, self.supply.items) * self.gain
        prior: Floats = expit(logit(self.base) + told)
        return prior


def _entropy(p: Floats) -> Floats:
    bits: Floats = (entr(p) + entr(1 - p)) / np.log(2)
    return bits


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
