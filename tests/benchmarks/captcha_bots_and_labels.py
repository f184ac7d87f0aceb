"""What bots that answer the CAPTCHA do to labels. Prints Markdown.

    python -m tests.benchmarks.captcha_bots_and_labels FOLDER [--answers 3] [--seeds 3]

FOLDER is that of `captcha_who_passes`. Half of the questions about CIFAR-10's test pictures are
true; the false ones ask for what people mix the picture up with most. Visitors answer them in
rounds composed and judged as the product does it, one attempt each, passed or failed; people as
often as CIFAR-10H's did, bots by their kind. Each open question gets so many answers of people, and
as many of bots. What they weigh, and the labels, are inferred by the rules of `labeling.answers`
(online) and `labeling.inference` (recomputed twice), first without regard to shared errors, then
with the discount of `aggregation.shared_errors`. Compared is the accuracy of labels with that of
the people's answers alone.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django

django.setup()

from labeling.aggregation import binary, earnest, online, shared_errors  # noqa: E402
from labeling.captcha import composing, passing  # noqa: E402
from labeling.captcha.passing import Outcome  # noqa: E402
from tests.benchmarks import captcha_pictures as cp  # noqa: E402
from tests.benchmarks.captcha_pictures import Bools, Floats, Index  # noqa: E402

OPEN, KNOWN = 2_000, 400  # questions
LEAST = 1e-3  # weight, as in `labeling.inference.weights`
RECOMPUTATIONS = 2
IS_PRIOR = "the own model, which is the prior, too"
PRIOR_EDGE = 0.05  # distance that this prior keeps from 0 and 1
Bot = Callable[[Index], Bools]


@dataclass(frozen=True)
class Questions:
    """OPEN questions, then KNOWN ones."""

    truth: Bools
    people: Floats  # share of people who say yes
    model: Floats  # the model's probability of yes


@dataclass(frozen=True)
class Answers:
    """N answers of W visitors in C rounds, in order of time."""

    visitor: Index
    round: Index
    question: Index
    value: Bools
    bot: Bools  # (W,)
    passed: Bools  # (W,)

    def of_people(self) -> "Answers":
        kept = ~self.bot[self.visitor]
        _, visitor = np.unique(self.visitor[kept], return_inverse=True)
        _, rounds = np.unique(self.round[kept], return_inverse=True)
        people = ~self.bot
        columns = self.question[kept], self.value[kept], self.bot[people], self.passed[people]
        return Answers(visitor, rounds, *columns)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--answers", type=int, default=3, help="of people, to each question")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    pictures = cp.load(options.folder)
    print(
        "| half are bots | that pass | labels, people alone | online: before | with the discount "
        "| recomputed: before | with the discount | worst seed | log loss: people | before "
        "| with it |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for kind in KINDS:
        rows = [_measure(pictures, kind, options.answers, seed) for seed in range(options.seeds)]
        passed, people, *changes = np.mean(rows, 0)[:6]
        worst = np.min(rows, 0)[5]
        losses = " | ".join(f"{each:.3f}" for each in np.mean(rows, 0)[6:])
        cells = " | ".join(f"{each:+.2f}" for each in [*changes, worst])
        print(f"| {kind} | {passed:.1f} % | {people:.2f} | {cells} | {losses} |", flush=True)


def _measure(pictures: cp.Pictures, kind: str, each: int, seed: int) -> list[float]:
    draw = np.random.default_rng(seed)
    questions = ask(pictures, draw)
    answers = answer(questions, KINDS[kind](questions, draw), each, draw)
    is_prior = kind == IS_PRIOR
    people = infer(questions, answers.of_people(), is_prior=is_prior, discounted=False)
    before = infer(questions, answers, is_prior=is_prior, discounted=False)
    after = infer(questions, answers, is_prior=is_prior, discounted=True)
    return [
        100 * float(answers.passed[answers.bot].mean()) if answers.bot.any() else 0.0,
        people.recomputed,
        before.online - people.online,
        after.online - people.online,
        before.recomputed - people.recomputed,
        after.recomputed - people.recomputed,
        people.loss,
        before.loss,
        after.loss,
    ]


def ask(pictures: cp.Pictures, draw: np.random.Generator) -> Questions:
    """Draw questions; known ones are about pictures on which people agree."""
    order = draw.permutation(len(pictures.shown))
    people, shown, rows = pictures.people[order], pictures.shown[order], np.arange(len(order))
    others = people + 1e-3 * draw.random(people.shape)
    others[rows, shown] = -1
    truth = draw.random(len(order)) < 0.5
    concept = np.where(truth, shown, others.argmax(1))
    yes, model = people[rows, concept], pictures.model[order][rows, concept]
    known = np.flatnonzero(np.where(truth, yes, 1 - yes) > cp.AGREED)[:KNOWN]
    chosen = np.r_[np.setdiff1d(rows, known)[:OPEN], known]
    return Questions(truth[chosen], yes[chosen], model[chosen])


def _clones(right: float, programs: int = 1) -> Callable[..., list[Bot]]:
    def make(questions: Questions, draw: np.random.Generator) -> list[Bot]:
        says = [
            questions.truth ^ (draw.random(len(questions.truth)) > right) for _ in range(programs)
        ]
        return [lambda rows, each=each: each[rows] for each in says]

    return make


def _yes(chance: float) -> Callable[..., list[Bot]]:
    return lambda _questions, draw: [lambda rows: draw.random(len(rows)) < chance]


def _own(questions: Questions, draw: np.random.Generator) -> list[Bot]:
    return [lambda rows: questions.model[rows] >= 0.5]


def _networks(right: float) -> Callable[..., list[Bot]]:
    """Programs that err each on their own."""

    def make(questions: Questions, draw: np.random.Generator) -> list[Bot]:
        return [lambda rows: questions.truth[rows] ^ (draw.random(len(rows)) > right)]

    return make


def _all(*kinds: Callable[..., list[Bot]]) -> Callable[..., list[Bot]]:
    return lambda questions, draw: [bot for make in kinds for bot in make(questions, draw)]


KINDS: dict[str, Callable[..., list[Bot]]] = {
    "nobody": lambda _questions, _draw: [],
    "at random": _yes(0.5),
    "always yes": _yes(1.0),
    "never yes": _yes(0.0),
    "the own model": _own,
    IS_PRIOR: _own,
    "clones, 70 % right": _clones(0.7),
    "clones, 80 % right": _clones(0.8),
    "clones, 90 % right": _clones(0.9),
    "clones, 97 % right": _clones(0.97),
    "clones of four programs, 80 % right": _clones(0.8, 4),
    "all different, 90 % right": _networks(0.9),
    "all of these": _all(
        *(_yes(each) for each in (0.5, 1.0, 0.0)),
        _own,
        *(_clones(right) for right in (0.7, 0.8, 0.9, 0.97)),
    ),
}


def answer(questions: Questions, bots: list[Bot], each: int, draw: np.random.Generator) -> Answers:
    """Let people and bots answer each open question so often, in attempts in random order."""
    attempts: list[tuple[bool, bool, list[Index], list[Bools]]] = []
    for is_bot in (False, True) if bots else (False,):
        queue, asked = _open(draw), 0
        while asked < OPEN * each:
            bot = bots[draw.integers(len(bots))] if is_bot else None
            rounds, values, passed = _attempt(questions, bot, queue, draw)
            asked += sum(int((rows < OPEN).sum()) for rows in rounds)
            attempts.append((is_bot, passed, rounds, values))
    order = [attempts[place] for place in draw.permutation(len(attempts))]
    rows = [(who, rows) for who, (_, _, rounds, _) in enumerate(order) for rows in rounds]
    return Answers(
        visitor=np.concatenate([np.full(len(each), who) for who, each in rows]),
        round=np.concatenate([np.full(len(each), place) for place, (_, each) in enumerate(rows)]),
        question=np.concatenate([each for _, each in rows]),
        value=np.concatenate([value for *_, values in order for value in values]),
        bot=np.array([is_bot for is_bot, *_ in order]),
        passed=np.array([passed for _, passed, *_ in order]),
    )


def _open(draw: np.random.Generator) -> Iterator[int]:
    while True:
        yield from draw.permutation(OPEN).tolist()


def _attempt(
    questions: Questions, bot: Bot | None, queue: Iterator[int], draw: np.random.Generator
) -> tuple[list[Index], list[Bools], bool]:
    """Return the questions and answers of each round, and whether it passed."""
    random = Random(int(draw.integers(2**32)))
    known = draw.permutation(np.arange(OPEN, OPEN + KNOWN))
    misjudged = (questions.model[known] >= 0.5) != questions.truth[known]
    pools = {
        (value, wrong): known[(questions.truth[known] == value) & (misjudged == wrong)].tolist()
        for value in (True, False)
        for wrong in (True, False)
    }

    def some(value: bool, count: int) -> list[int]:
        wrong = min(int(draw.binomial(count, passing.AGAINST_MODEL)), len(pools[value, True]))
        drawn = [pools[value, True].pop() for _ in range(wrong)]
        return drawn + [pools[value, False].pop() for _ in range(count - wrong)]

    rounds: list[Index] = []
    values: list[Bools] = []
    for last_round in (False, True):
        count, true = passing.draw_known(random)
        drawn = some(True, true) + some(False, count - true)
        drawn += [next(queue) for _ in range(composing.TILES - count)]
        rows = draw.permutation(np.array(drawn))
        says = draw.random(len(rows)) < questions.people[rows] if bot is None else bot(rows)
        rounds.append(rows)
        values.append(says)
        asked = np.concatenate(rounds)
        truth = np.where(asked < OPEN, passing.UNKNOWN, questions.truth[asked])
        evidence = passing.grid_evidence(
            np.concatenate(values).tolist(),
            truth.tolist(),
            questions.model[asked].tolist(),
            first_round=composing.TILES,
        )
        outcome = passing.decide(
            evidence, threshold=passing.GRID_THRESHOLDS["normal"], last_round=last_round
        )
        if outcome != Outcome.ANOTHER:
            break
    return rounds, values, outcome == Outcome.PASSED


@dataclass(frozen=True)
class Labels:
    """How right labels are, in percent: online, and recomputed, with its log loss."""

    online: float
    recomputed: float
    loss: float


def infer(questions: Questions, answers: Answers, *, is_prior: bool, discounted: bool) -> Labels:
    """Infer the labels of the open questions."""
    visitors, total = len(answers.bot), len(questions.truth)
    prior = np.full(total, 0.5)
    if is_prior:
        prior = questions.model.clip(PRIOR_EDGE, 1 - PRIOR_EDGE)
    verdict = np.where(np.arange(total) < OPEN, -1, questions.truth).astype(np.int8)
    known = np.where(verdict >= 0, verdict, np.nan)[answers.question]
    counts = _counts(answers, known, visitors)
    rated: Floats | None = None
    for _ in range(RECOMPUTATIONS):
        weight = _weights(answers, known, counts, questions, discounted, is_prior)
        if rated is None:
            rated = _online(answers, counts, weight, prior)
        inferred = binary.infer(
            answers.question,
            answers.visitor,
            answers.value,
            prior=prior,
            verdict=verdict,
            gold=verdict >= 0,
            suspect=np.zeros(len(answers.value), bool),
            annotators=visitors,
            weight=weight,
        )
        rows = binary.confusion_counts(inferred, answers.question, answers.visitor, answers.value)
        counts = [online.forget(online.ConfusionCounts(*row)) for row in rows.tolist()]
    assert rated is not None
    truth, probability = questions.truth[:OPEN], inferred.probability[:OPEN]
    right = np.where(truth, probability, 1 - probability).clip(1e-6)
    return Labels(
        100 * float(((rated[:OPEN] > 0.5) == truth).mean()),
        100 * float(((probability > 0.5) == truth).mean()),
        -float(np.log(right).mean()),
    )


def _counts(answers: Answers, known: Floats, visitors: int) -> list[online.ConfusionCounts]:
    """Return the counts of each visitor by what is known."""
    counts = np.zeros((visitors, 4))
    (rows,) = np.nonzero(~np.isnan(known))
    true, says = known[rows] == 1, answers.value[rows]
    cell = np.where(true, np.where(says, 0, 1), np.where(says, 3, 2))
    np.add.at(counts, (answers.visitor[rows], cell), 1)
    return [online.ConfusionCounts(*row) for row in counts.tolist()]


def _weights(
    answers: Answers,
    known: Floats,
    counts: list[online.ConfusionCounts],
    questions: Questions,
    discounted: bool,
    is_prior: bool,
) -> Floats:
    """Return (N,) what each answer weighs, as of `labeling.inference.weights`."""
    accuracy = np.array([earnest.accuracy(each) for each in counts])
    following = np.array([earnest.challenge_prior(each, earnest.UNPROVEN) for each in counts])
    visitor = np.zeros(answers.round.max() + 1, np.intp)
    visitor[answers.round] = answers.visitor
    of_round = earnest.challenge_weights(
        answers.round, answers.value, known, accuracy[answers.visitor], following[visitor]
    )
    trust = np.array(
        [
            [earnest.trust(each, value, earnest.UNPROVEN) for value in (False, True)]
            for each in counts
        ]
    )
    weight = of_round[answers.round] * trust[answers.visitor, answers.value.astype(int)]
    if discounted:
        is_known = ~np.isnan(known)
        about, says = np.arange(OPEN, len(questions.truth)), questions.model >= 0.5
        clusters = shared_errors.find(
            np.r_[answers.visitor[is_known], np.full(len(about), len(counts))],
            np.r_[answers.question[is_known], about],
            np.r_[
                answers.value[is_known] != (known[is_known] == 1),
                says[about] != questions.truth[about],
            ],
            annotators=len(counts) + 1,
            questions=len(questions.truth),
        )
        columns = answers.visitor, answers.question, answers.value
        weight *= shared_errors.discount(clusters, *columns)
        if is_prior:
            agrees = says[answers.question] == answers.value
            weight *= shared_errors.beside_model(clusters, answers.visitor, len(counts), agrees)
    clipped: Floats = weight.clip(LEAST, 1.0)
    return clipped


def _online(
    answers: Answers, counts: list[online.ConfusionCounts], weight: Floats, prior: Floats
) -> Floats:
    """Return (Q,) the posteriors that are shown, by what is known of everybody in the end."""
    full = np.array([[online.evidence(each, value) for value in (False, True)] for each in counts])
    evidence = weight * full[answers.visitor, answers.value.astype(int)]
    order = np.argsort(answers.question, kind="stable")
    ends = np.searchsorted(answers.question[order], np.arange(len(prior) + 1))
    return np.array(
        [
            online.tempered_posterior(float(prior[q]), evidence[order[a:b]].tolist())
            for q, (a, b) in enumerate(pairwise(ends.tolist()))
        ]
    )


if __name__ == "__main__":
    main()
