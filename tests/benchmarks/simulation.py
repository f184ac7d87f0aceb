"""Labelling again, with people's recorded answers, in the order that the selector asks for them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from crowds import Floats, Ints, dawid_skene
from product import (
    PROJECT,
    candidates,
    concepts,
    known,
    levels,
    model_prior,
    need,
    picks,
    posteriors,
    probes,
    question_state,
    reader,
    showings,
    weights,
)
from scipy.special import entr, expit, logit  # type: ignore[import-untyped]
from supplies import Answers, Bools, Generator, Supply

from labeling.aggregation import (
    aggregate,
    binary,
    earnest,
    exclusions,
    model_weight,
    online,
    online_tempering,
)
from labeling.aggregation.information import information_gain, relative_value
from labeling.beliefs import MAX_SHIFT
from labeling.features import Features
from labeling.inference.probes import KnownQuestions
from labeling.inference.scores import match
from labeling.models import Concept

PLACES = picks.GRID_TILES - need.GRID_GOLD  # of a grid, for questions that are not gold
ITEMS = 500  # of which the priorities of concepts are estimated
OPEN, SETTLED, AMBIGUOUS = range(3)


@dataclass(frozen=True)
class Rules:
    """When a question settles or is given up; as in a new project, unless said otherwise."""

    settle_at: float = PROJECT.settle_at
    least: int = PROJECT.answers_min
    cap: int = PROJECT.answers_cap
    cost: float = PROJECT.answer_cost
    finish: float = question_state.FINISH_SHARE
    earnest: float = earnest.INVITED  # how people count who passed gold, which is not simulated
    gold: int = 0  # a concept; 0: a third of each grid is left to it, and it is not counted
    exclusive: bool = False  # whether it is learned and used which concepts rule each other out


@dataclass(frozen=True)
class Sight:
    """What an encoder sees before anybody has answered; the tiles are the items' numbers."""

    features: Features
    log_odds: Floats  # (items, concepts)


@dataclass
class Product:
    """What the product believes of all questions, and what it asks next.

    The steps are those of `labeling.answers`, `question_state`, `selection` and `inference`, with
    arrays in the place of tables and the product's own constants. Of gold, and of settled questions
    that check people, no more is there than what they take of grids.
    """

    supply: Supply
    base: Floats  # (Q,) probabilities of yes before any answer: how frequent the concept is
    model_probability: Floats | None  # (Q,)
    rules: Rules
    draw: Generator
    sight: Sight | None = None  # in the place of a model's probabilities

    def __post_init__(self) -> None:
        count, self.concepts = len(self.base), self.supply.concepts
        self.answers = Answers(count)
        self.votes: list[list[tuple[int, bool]]] = [[] for _ in range(count)]  # by question
        self.counts = [online.ConfusionCounts()] * self.supply.annotators
        self.tempering = online.Tempering()
        self.model_weight = np.full(self.concepts, model_weight.DEFAULT_WEIGHT)
        self.known = np.zeros(self.concepts)
        self.added = np.zeros(count)  # log-odds of the model beyond the base
        if self.model_probability is not None:
            self._predict(logit(self.model_probability))
        elif self.sight is not None:
            self._predict(self.sight.log_odds.reshape(-1))
        self.known_answers = self.rules.gold * self.concepts  # to gold and checks; one marked gold
        self.groups: list[exclusions.Group] = []
        self.excluded = np.zeros(count, bool)
        self.frontier = np.full(self.concepts, self.supply.items)  # items before it are asked about
        self.place = self._places_on_circles()  # (items, concepts)
        self.exclusion = np.zeros(count)  # log-odds that answers about other concepts add
        self.prior = self._prior()
        self.posterior = self.prior.copy()
        self.state = np.full(count, OPEN)
        self.weight = np.zeros(count)  # of the answers to each question
        self.random_key = self.draw.random(count)
        if self.sight is None and self.model_probability is None:
            self.frontier[:] = 0  # no model nominates anything from beyond it

    def challenge(self) -> bool | None:
        """Let the next annotator answer a grid. False if nothing is left for them; None: nobody."""
        annotator = self.supply.annotator()
        if annotator is None:
            return None
        chosen = self._choose(annotator)
        for question in chosen:
            self._record(annotator, question)
        return bool(chosen)

    def _choose(self, annotator: int) -> list[int]:
        """Choose a random share, then likely and unlikely questions by halves, by score."""
        free = self._available(annotator)
        if not len(free):
            return []
        places = self._places(int(free[0]) % self.concepts)
        lucky = int((self.draw.random(places) < PROJECT.random_share).sum())
        chosen = dict.fromkeys(self.draw.choice(free, min(lucky, len(free)), False).tolist())
        priority = np.where(self._unfinished(free), 1.0, _entropy(self.posterior[free]))
        order = free[np.lexsort((self.draw.random(len(free)), -priority))]
        likely = order[self.posterior[order] >= 0.5][: candidates.MAX_CANDIDATES_EACH]
        window = np.union1d(order[: candidates.MAX_CANDIDATES], likely)
        ranked = window[np.argsort(-self._scores(annotator, window))]
        yes = ranked[self.posterior[ranked] >= 0.5].tolist()
        no = ranked[self.posterior[ranked] < 0.5].tolist()
        for question in yes[: places // 2] + no + yes[places // 2 :]:
            if len(chosen) < places:
                chosen[question] = None
        return list(chosen)

    def _places(self, concept: int) -> int:
        """Return the places of a grid that are left by gold and checks, and count those.

        Checks are taken for settled before whoever asks came: there are no more of them.
        """
        if not self.rules.gold:
            return PLACES
        mine = slice(concept, None, self.concepts)
        yes = self.answers.yes[mine]
        count = self.answers.count[mine]
        unanimous = (count >= 2) & ((yes == 0) | (yes == count))
        checks = int((unanimous & (self.state[mine] == SETTLED)).sum())
        most = min(max(showings.MOST_TILES // self.concepts, 1), self.supply.items)
        share = known.Stock(self.rules.gold, checks, most).share
        taken = int((self.draw.random(picks.GRID_TILES) < share).sum())
        self.known_answers += taken
        return picks.GRID_TILES - taken

    def _available(self, annotator: int) -> Ints:
        """Return the open questions for the annotator; of many, those of one concept."""
        free = self.supply.available(annotator)
        if free.dtype == bool:
            stored = (self.place < np.maximum(self.frontier, 1)).reshape(-1)
            wanted = np.where((self.state == OPEN) & stored, _entropy(self.posterior), 0.0)
            wanted = np.sort(
                wanted.reshape(-1, self.concepts)[:: max(1, self.supply.items // ITEMS)], 0
            )
            priority = wanted[-concepts.TOP_QUESTIONS :].sum(0) + concepts.FLOOR
            concept = self.draw.choice(self.concepts, p=priority / priority.sum())
            self._fill_pool(int(concept))
            free &= (self.place < self.frontier).reshape(-1)
            free = np.flatnonzero(free[concept :: self.concepts]) * self.concepts + concept
        return free[self.state[free] == OPEN]

    def _places_on_circles(self) -> Ints:
        """Return the place (items, concepts) of each item in the random slice of each concept."""
        place = self.draw.permutation(self.supply.items)
        starts = self.draw.integers(self.supply.items, size=self.concepts)
        places: Ints = (place[:, None] - starts) % self.supply.items
        return places

    def _fill_pool(self, concept: int) -> None:
        """Take in the next items of the random slice where half of a concept's pool is used."""
        mine = slice(concept, None, self.concepts)
        place, frontier = self.place[:, concept], self.frontier[concept]
        fresh = (self.answers.count[mine] == 0) & (self.state[mine] == OPEN)
        full = sum(levels.target(predicted=False))
        pooled = int((fresh & (place < frontier)).sum())
        if 2 * pooled <= full:
            ahead = np.sort(place[fresh & (place >= frontier)])[: full - pooled]
            self.frontier[concept] = int(ahead[-1]) + 1 if len(ahead) else self.supply.items

    def _unfinished(self, questions: Ints) -> Bools:
        count = self.answers.count[questions]
        begun: Bools = (count > 0) & (count < self.rules.least)
        begun &= self.random_key[questions] < self.rules.finish
        if self.groups:
            grouped = [concept for group in self.groups for concept in group.concepts]
            false = self.posterior[questions] < 0.5
            begun &= ~(false & np.isin(questions % self.concepts, grouped))
        return begun

    def _scores(self, annotator: int, questions: Ints) -> Floats:
        """Return the bits that the annotator's answers are expected to bring, with jitter."""
        unfinished, counts = self._unfinished(questions), self.counts[annotator]
        posterior = np.where(unfinished, 0.5, self.posterior[questions])
        bits = information_gain(counts.sensitivity, counts.specificity, posterior)
        jitter = 1 - reader.JITTER * self.draw.random(len(questions))
        scores: Floats = bits * jitter / (1 - reader.JITTER * unfinished)
        return scores

    def _record(self, annotator: int, question: int) -> None:
        """Record an answer as `labeling.answers` does."""
        yes = self.supply.answer(annotator, question)
        prior, counts = float(self.prior[question]), self.counts[annotator]
        prior_earnest = self.rules.earnest
        others = [
            earnest.evidence(self.counts[who], vote, prior_earnest)
            for who, vote in self.votes[question]
        ]
        evidence = [*others, earnest.evidence(counts, yes, prior_earnest)]
        self.weight[question] = online.answers_weight(evidence)
        self.posterior[question] = online.tempered_posterior(prior, evidence, self.tempering)
        self.counts[annotator] = online.update_counts(
            counts, yes, online.untempered_posterior(prior, others)
        )
        self.answers.add(question, annotator, yes)
        self.votes[question].append((annotator, yes))
        was = self.state[question]
        self._update_state(question)
        if self.groups and was != self.state[question] and self.posterior[question] >= 0.5:
            self._exclude(np.array([question // self.concepts]))

    def _update_state(self, question: int) -> None:
        """Settle, give up or open again."""
        rules, count = self.rules, int(self.answers.count[question])
        state, posterior = self.state[question], float(self.posterior[question])
        factor = question_state.HYSTERESIS if state == SETTLED else 1
        uncertainty = (1 - rules.settle_at) * factor
        weight = self.weight[question] + question_state.ROUNDING
        asked_anyway = self.random_key[question] < question_state.ASKED_ANYWAY
        if self.excluded[question] and not asked_anyway and posterior <= uncertainty:
            self.state[question] = SETTLED
        elif weight < self._needed(question, posterior):
            most = rules.cap * question_state.PEOPLE_PER_ANSWER
            self.state[question] = AMBIGUOUS if count >= most else OPEN
        elif min(posterior, 1 - posterior) <= uncertainty:
            self.state[question] = SETTLED
        else:
            self.state[question] = OPEN if self._worth_asking(question) else AMBIGUOUS

    def _needed(self, question: int, posterior: float) -> int:
        """Return the answers needed; a model that clearly agrees stands for one, never for all."""
        shift = float(logit(self.prior[question]) - logit(self.base[question]))
        least, agreement = self.rules.least, shift if posterior >= 0.5 else -shift
        return least - (least > 1 and agreement >= question_state.MODEL_ANSWER_SHIFT)

    def _worth_asking(self, question: int) -> bool:
        rules, count = self.rules, int(self.answers.count[question])
        weight = self.weight[question]
        most = rules.cap * question_state.PEOPLE_PER_ANSWER
        if weight + question_state.ROUNDING >= rules.cap or count >= most:
            return False
        share, given = weight / max(count, 1), int(self.answers.yes[question])
        yes, no = round(share * given), round(share * (count - given))
        value = relative_value(
            float(self.posterior[question]),
            prior=float(self.prior[question]),
            yes=yes,
            no=no,
            left=min(max(rules.cap - yes - no, 1), question_state.LOOKAHEAD),
            settle_at=max(1 - question_state.HYSTERESIS * (1 - rules.settle_at), 0.5),
        )
        factor = question_state.HYSTERESIS if self.state[question] == AMBIGUOUS else 1
        return value >= rules.cost * factor

    def recompute(self) -> None:
        """Recompute posteriors from all answers, and by them annotators and model weights."""
        if not len(self.answers):
            return
        question, annotator, value = self.answers.columns()
        if self.model_probability is not None or self.sight is not None:
            self._fit_model_weights()
        size, prior = len(self.base), self.rules.earnest
        trust = np.array(
            [[earnest.trust(each, vote, prior) for vote in (False, True)] for each in self.counts]
        )
        weight = trust[annotator, value].clip(weights.LEAST)
        found = binary.infer(
            question,
            annotator,
            value.astype(bool),
            prior=expit(logit(self.prior) - self.exclusion),
            verdict=np.full(size, -1, np.int8),
            gold=np.zeros(size, bool),
            suspect=np.zeros(len(question), bool),
            annotators=self.supply.annotators,
            weight=weight,
        )
        ratios = weight * online_tempering.evidence(
            found.sensitivity[annotator], found.specificity[annotator], value.astype(bool)
        )
        whole = np.minimum((ratios / online.WHOLE_ANSWER) ** 2, 1)
        self.weight = np.bincount(question, whole, size)
        free = found.probability.clip(online.EDGE, 1 - online.EDGE)
        self.posterior = expit(logit(free) + self.exclusion)
        for each in np.flatnonzero(self.answers.count):
            self._update_state(int(each))
        counts = binary.confusion_counts(found, question, annotator, value.astype(bool))
        self.counts = [
            online.forget(online.ConfusionCounts(*row)) if sum(row) else online.ConfusionCounts()
            for row in counts.tolist()
        ]
        self._fit_tempering(question, ratios, found)
        if self.rules.exclusive:
            self._learn_exclusions()
            self._exclude(np.arange(self.supply.items))

    def _learn_exclusions(self) -> None:
        """Learn which concepts rule each other out, as `labeling.inference.exclusions` does."""
        (asked,) = np.nonzero(self.answers.count)
        prior = expit(logit(self.prior[asked]) - self.exclusion[asked])
        self.groups = exclusions.learn(
            asked // self.concepts,
            asked % self.concepts,
            prior,
            self._own_evidence()[asked],
            concepts=self.concepts,
            earlier=self.groups,
        )

    def _own_evidence(self) -> Floats:
        """Return (Q,) the log-odds that a question's own answers add."""
        prior, posterior = (
            logit(each.clip(online.EDGE, 1 - online.EDGE)) for each in (self.prior, self.posterior)
        )
        return np.where(self.answers.count > 0, posterior - prior, 0.0)

    def _exclude(self, items: Ints) -> None:
        """Bring items to what answers say of other concepts, as `labeling.excluding` does."""
        shape = self.supply.items, self.concepts
        evidence = self._own_evidence().reshape(shape)[items]
        free = (logit(self.prior) - self.exclusion).reshape(shape)[items]
        shift, excluded = np.zeros(free.shape), np.zeros(free.shape, bool)
        settled = ((self.state == SETTLED) & (self.posterior >= 0.5)).reshape(shape)[items]
        for group in self.groups:
            columns = list(group.concepts)
            of_group = expit(free[:, columns]), evidence[:, columns]
            shift[:, columns] = exclusions.shifts(*of_group, group.overlap)
            others = settled[:, columns].sum(1, keepdims=True) - settled[:, columns]
            excluded[:, columns] = others > 0
        questions = (items[:, None] * self.concepts + np.arange(self.concepts)).reshape(-1)
        change = shift.reshape(-1) - self.exclusion[questions]
        moved = (np.abs(change) > 1e-9) | (self.excluded[questions] != excluded.reshape(-1))
        changed = questions[moved]
        self.exclusion[changed] += change[moved]
        self.excluded[questions] = excluded.reshape(-1)
        for values in (self.prior, self.posterior):
            log_odds = logit(values[changed].clip(online.EDGE, 1 - online.EDGE))
            values[changed] = expit(log_odds + change[moved])
        for each in changed.tolist():
            self._update_state(each)

    def _fit_tempering(self, asked: Ints, ratios: Floats, found: binary.BinaryAggregate) -> None:
        drawn = self.draw.permutation(np.unique(asked))[: posteriors.FITTED_BY]
        place = np.full(len(self.base), -1)
        place[drawn] = np.arange(len(drawn))
        used = place[asked] >= 0
        targets = self.prior[drawn], self.posterior[drawn]
        self.tempering = online_tempering.fit_tempering(place[asked[used]], ratios[used], *targets)

    def _fit_model_weights(self) -> None:
        """Fit the model weight of each concept of which much more is known, and shift priors."""
        for concept in range(self.concepts):
            rows = np.arange(concept, len(self.base), self.concepts)
            asked = rows[self.answers.count[rows] > 0]
            if len(asked) > model_prior.GROWTH * self.known[concept]:
                self.known[concept] = len(asked)
                evidence = np.array([self._evidence(question) for question in asked.tolist()])
                base = logit(self.base[asked])
                if self.sight is not None:
                    self._probe(concept, self._with_excluded(concept, asked, base, evidence))
                self.model_weight[concept] = model_weight.fit_model_weight(
                    self.added[asked], base, evidence
                )
        change = logit(self._prior()) - logit(self.prior)
        self.posterior = expit(logit(self.posterior.clip(online.EDGE, 1 - online.EDGE)) + change)
        self.prior = self._prior()

    def _predict(self, log_odds: Floats) -> None:
        """Take predicted log-odds (Q,) in the place of earlier ones."""
        self.added = (log_odds - logit(self.base)).clip(-MAX_SHIFT, MAX_SHIFT)

    def _with_excluded(
        self, concept: int, asked: Ints, base: Floats, evidence: Floats
    ) -> KnownQuestions:
        """Return what is known of a concept, with what other concepts rule out."""
        rows = np.arange(concept, len(self.base), self.concepts)
        ruled_out = rows[self.excluded[rows] & (self.answers.count[rows] == 0)]
        overlap = sum(group.overlap for group in self.groups if concept in group.concepts)
        items = self.posterior.reshape(-1, self.concepts)[ruled_out // self.concepts]
        left = overlap + (1 - overlap) * (1 - items.max(1))
        return KnownQuestions(
            np.concatenate([asked, np.full(len(ruled_out), probes.RULED_OUT)]),
            np.concatenate([asked, ruled_out]) // self.concepts,
            np.concatenate([base, logit(self.base[ruled_out])]),
            np.concatenate([evidence, np.log(left.clip(online.EDGE))]),
        )

    def _probe(self, concept: int, known: KnownQuestions) -> None:
        """Predict a concept by a probe on what people say, as `labeling.inference.model_prior`."""
        assert self.sight is not None
        about = Concept(pk=concept, prevalence=float(self.base[concept]))
        probe = probes.fit(known, about, self.sight.features)
        if probe is not None:
            of_all = self.sight.features.images.astype(np.float32) @ probe.weights + probe.constant
            of_all[probe.rows] = probe.out_of_fold
            largest = online.log_odds(1 - online.EDGE)
            matched = match(of_all.clip(-largest, largest).astype(np.float16), about.prevalence)
            predicted = logit(self.base) + self.added
            predicted[concept :: self.concepts] = matched.astype(np.float64)
            self._predict(predicted)

    def _evidence(self, question: int) -> float:
        """Return the evidence of a question's answers together, in log-odds."""
        votes = self.votes[question]
        prior = self.rules.earnest
        total = sum(earnest.evidence(self.counts[who], yes, prior) for who, yes in votes)
        more = online.ANSWER_CORRELATION * (len(votes) - 1)
        return total * self.tempering.strength / (1 + more)

    def _prior(self) -> Floats:
        shift = np.tile(self.model_weight, self.supply.items) * self.added
        prior: Floats = expit(logit(self.base) + shift + self.exclusion)
        return prior


def _entropy(p: Floats) -> Floats:
    bits: Floats = (entr(p) + entr(1 - p)) / np.log(2)
    return bits


Curve = list[tuple[float, float]]  # answers an item, accuracy


def accuracy(supply: Supply, posterior: Floats) -> float:
    """Of the class believed most of each item; among n equals each counts 1/n.

    Where concepts are independent, F1 of what is believed.
    """
    if supply.truth.ndim > 1:
        believed, truth = posterior >= 0.5, supply.truth.reshape(-1)
        return float(2 * (believed & truth).sum() / max(believed.sum() + truth.sum(), 1))
    table = posterior.reshape(-1, supply.concepts)
    if supply.concepts == 1:
        table = np.concatenate([1 - table, table], 1)
    best = table >= table.max(1, keepdims=True) - 1e-9
    return float((best[np.arange(supply.items), supply.truth] / best.sum(1)).mean())


def calibration_error(supply: Supply, posterior: Floats, bins: int = 10) -> float:
    """Return the expected calibration error of all questions, in equal bins."""
    truth = supply.truth
    if supply.truth.ndim == 1:
        classes = np.arange(supply.concepts) if supply.concepts > 1 else np.array([1])
        truth = supply.truth[:, None] == classes
    place = (posterior * bins).astype(int).clip(max=bins - 1)
    count = np.bincount(place, minlength=bins).clip(1)
    gap = np.bincount(place, posterior - truth.reshape(-1), bins) / count
    return float((np.abs(gap) * count).sum() / len(posterior))


def random_order(
    supply: Supply, share: float, every: int, infer: dict[str, Callable[[Answers, Supply], Floats]]
) -> dict[str, Curve]:
    """Questions in random order up to five times each; the curve of each way to add up."""
    answers = Answers(supply.items * supply.concepts)
    curves: dict[str, Curve] = {name: [] for name in infer}

    def note() -> None:
        for name, method in infer.items():
            posterior = np.where(answers.count > 0, method(answers, supply), share)
            curves[name].append((len(answers) / supply.items, accuracy(supply, posterior)))

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
    """Return this product's probability of yes."""
    task, worker, label = answers.columns()
    found = aggregate(task, worker, label, classes=[0, 1])
    posterior = np.zeros(len(answers.count))
    posterior[found.tasks] = found.posterior[:, 1]
    return posterior


def selected(product: Product, every: int) -> Curve:
    """Return the curve of the product's choices until nothing is open or nobody comes."""
    curve: Curve = [(0.0, accuracy(product.supply, product.posterior))]
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
    given = len(product.answers) + product.known_answers
    return given / product.supply.items, accuracy(product.supply, product.posterior)
