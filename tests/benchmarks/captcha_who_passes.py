"""Who passes the CAPTCHA: people by real answers, and bots; and what a pass costs at each door.

    python -m tests.benchmarks.captcha_who_passes FOLDER [--attempts 2000] [--clip] [--demo]

FOLDER holds crowd/ducks and crowd/dog4 (answers of people with an id) and, in cifar10/,
human_counts_test.csv (CIFAR-10H: some 50 people's labels of each test picture),
model_probabilities_test.csv (a classifier's, 93 % right) and human_labels_train.csv (CIFAR-10N:
three people's labels of each training picture). Rounds are composed and judged as the product does
it. With --clip, the project's model is also what it knows of CIFAR-10 before anybody has answered
(needs cifar10/test.zip); with --demo, bots choose among the demo's sentences, which takes a
database of its own. Prints tables in Markdown, with 95 % intervals (Wilson).
"""

import argparse
import csv
import hashlib
import math
import os
import re
import tempfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

DATA = tempfile.TemporaryDirectory(prefix="tessera-bench-")  # of the demo's database
os.environ |= {"DATA_DIR": DATA.name, "DJANGO_SETTINGS_MODULE": "config.settings"}
os.environ.pop("DATABASE_URL", None)
import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402

from labeling.captcha import passing, text_rounds, work  # noqa: E402
from labeling.captcha.passing import GRID_THRESHOLDS, THRESHOLDS, Outcome  # noqa: E402
from tests.benchmarks import captcha_pictures as cp  # noqa: E402
from tests.benchmarks.captcha_pictures import Bools, Deck, End, Floats, Pictures, Tiles  # noqa: E402

LEAST_ANSWERS = 40  # of a person in a recorded crowd, to draw two rounds from
BLIND = 500_000  # attempts of those who do not look
SENTENCES = 300  # attempts of the demo's text door
ADDRESSES, CORES = (1, 100), (1, 100)
NETWORK_SECONDS = 0.022  # of a core for two rounds of a small network, as published: 11 ms each
HEADER = "| who | pictures | easy: first round | both | normal: first | both | hard: first | both |"
Line = dict[str, tuple[str, str]]  # by difficulty: passed with the first round, with either


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--attempts", type=int, default=2_000)
    parser.add_argument("--clip", action="store_true")
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    pictures = cp.load(options.folder)
    print(f"{HEADER}\n|{'---|' * 8}")
    people(options.folder, pictures, options.attempts)
    blind()
    capable(pictures, options.attempts)
    own_model(pictures, "a classifier, 93 % right", options.attempts)
    if options.clip:
        own_model(clip(options.folder, pictures), "before any answer", options.attempts)
    print("\n| who | right | easy | normal | hard |\n|---|---|---|---|---|")
    text_by_accuracy(options.attempts)
    rates = demo() if options.demo else {}
    doors(rates)


def share(passed: int, count: int) -> str:
    """Return a share with its interval, in percent."""
    z, p = 1.96, passed / count
    middle = (p + z * z / 2 / count) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / 4 / count**2)
    digits = 1 if count < 100_000 else 4
    low, high = (100 * min(max(each, 0), 1) for each in (middle - half, middle + half))
    return f"{100 * p:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def line(who: str, what: str, ends: Callable[[float], Iterable[End]]) -> None:
    """Print a line: who passes at each difficulty. ends: of attempts with a threshold."""
    cells = []
    for threshold in GRID_THRESHOLDS.values():
        all_ends = list(ends(threshold))
        passed = [end for end in all_ends if end.passed]
        first = sum(end.rounds == 1 for end in passed)
        cells += [f"{100 * first / len(all_ends):.1f}", share(len(passed), len(all_ends))]
    print(f"| {who} | {what} | {' | '.join(cells)} |", flush=True)


def people(folder: Path, pictures: Pictures, count: int) -> None:
    draw = np.random.default_rng(0)
    kinds = {
        "CIFAR-10H, agreed": Deck(pictures, draw),
        "CIFAR-10H, agreed, .15 against the model": Deck(
            pictures, draw, against_model=passing.AGAINST_MODEL
        ),
        "CIFAR-10H, any": Deck(pictures, draw, agreed=False),
        "CIFAR-10H, agreed, false ones mixed up": Deck(pictures, draw, mixed_up=True),
    }
    for what, deck in kinds.items():
        line("people", what, lambda t, deck=deck: cp.attempts(deck, deck.people, t, count))
    third = ThirdAnswers(folder / "cifar10" / "human_labels_train.csv")
    line("people", "CIFAR-10N, the third answer", lambda t: third.attempts(t, count))
    for name in ("dog4", "ducks"):
        crowd = Recorded(folder / "crowd" / name)
        line(
            "people",
            f"{name}, one person's answers",
            lambda t, crowd=crowd: crowd.attempts(t, count),
        )


class Judge:
    """Attempts without a model, of which `tiles` draws truth and answers."""

    def tiles(self, draw: np.random.Generator) -> Callable[[int, int], tuple[Bools, Bools] | None]:
        raise NotImplementedError

    def attempts(self, threshold: float, count: int) -> Iterable[End]:
        draw, random = np.random.default_rng(1), Random(1)
        ends: list[End] = []
        while len(ends) < count:
            drawn, values, known, first = self.tiles(draw), [], [], None
            for number, last_round in ((1, False), (2, True)):
                tiles = drawn(*passing.draw_known(random))
                if tiles is None:
                    break
                known += tiles[0].astype(float).tolist()
                values += tiles[1].tolist()
                first = first or len(values)
                evidence = passing.grid_evidence(
                    values, known, [-1.0] * len(known), first_round=first
                )
                outcome = passing.decide(evidence, threshold=threshold, last_round=last_round)
                if outcome != Outcome.ANOTHER:
                    ends.append(End(outcome == Outcome.PASSED, number))
                    break
        return ends


class ThirdAnswers(Judge):
    """Pictures that two people saw right, so that they may be gold, and what the third said."""

    def __init__(self, path: Path) -> None:
        with path.open(newline="") as file:
            rows = np.array(list(csv.reader(file))[1:], int)
        self._said, self._pools = rows[:, 3], {}
        for concept in range(cp.CLASSES):
            agreed = (
                (rows[:, 1] == concept) & (rows[:, 2] == concept),
                ((rows[:, 1] != concept) & (rows[:, 2] != concept)),
            )
            true = rows[:, 4] == concept
            self._pools[concept, True] = np.flatnonzero(agreed[0] & true)
            self._pools[concept, False] = np.flatnonzero(agreed[1] & ~true)

    def tiles(self, draw: np.random.Generator) -> Callable[[int, int], tuple[Bools, Bools] | None]:
        def round_(count: int, true: int) -> tuple[Bools, Bools]:
            concept = int(draw.integers(cp.CLASSES))
            values = draw.permutation(np.arange(count) < true)
            rows = np.array([draw.choice(self._pools[concept, bool(value)]) for value in values])
            return values, self._said[rows] == concept

        return round_


class Recorded(Judge):
    """One person's recorded answers at a time: so people differ as they really do."""

    def __init__(self, folder: Path) -> None:
        with (folder / "truth.csv").open(newline="") as file:
            truth = {row["task"]: row["label"] for row in csv.DictReader(file)}
        classes = sorted(set(truth.values()))
        self._classes = classes[1:] if len(classes) == 2 else classes
        answers: dict[str, list[tuple[str, str]]] = defaultdict(list)
        with (folder / "answers.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                answers[row["worker"]].append((truth[row["task"]], row["label"]))
        self._people = [each for each in answers.values() if len(each) >= LEAST_ANSWERS]

    def tiles(self, draw: np.random.Generator) -> Callable[[int, int], tuple[Bools, Bools] | None]:
        person = self._people[draw.integers(len(self._people))]
        concept = self._classes[draw.integers(len(self._classes))]
        rows = [(truth == concept, said == concept) for truth, said in person]
        rows = [rows[place] for place in draw.permutation(len(rows))]
        pools = {value: [row for row in rows if row[0] == value] for value in (True, False)}

        def round_(count: int, true: int) -> tuple[Bools, Bools] | None:
            true = min(true, len(pools[True]))
            if count - true > len(pools[False]) or not true:
                return None
            drawn = [pools[True].pop() for _ in range(true)]
            drawn += [pools[False].pop() for _ in range(count - true)]
            both = np.array(drawn)[draw.permutation(count)]
            return both[:, 0], both[:, 1]

        return round_


def blind() -> None:
    """Those who do not look: many attempts, each pattern of hits being judged once."""
    for name in ("at random", "always yes", "never yes", "yes at the usual rate", "half of them"):
        line(name, "any", lambda t, name=name: _blind(name, t))


@cache
def _sizes() -> "np.ndarray":
    """Return (2, round, attempt) how many tiles are known, and how many of those are true."""
    random = Random(2)
    drawn = [passing.draw_known(random) for _ in range(2 * BLIND)]
    return np.array(drawn).reshape(BLIND, 2, 2).T


def _blind(name: str, threshold: float) -> Iterable[End]:
    draw = np.random.default_rng(2)
    count, true = _sizes()
    usual = true.mean() / count.mean()
    yes = {
        "at random": draw.binomial(count, 0.5),
        "always yes": count,
        "never yes": 0 * count,
        "yes at the usual rate": draw.binomial(count, usual),
        "half of them": count // 2,
    }[name]
    hits = draw.hypergeometric(true, count - true, yes)
    rounds = np.stack([count, true, yes, hits], 2)  # (round, attempt, 4)
    outcome = _judge_each(rounds[0][:, None], threshold)
    (again,) = np.nonzero(outcome == Outcome.ANOTHER)
    number = np.ones(BLIND, int)
    number[again] = 2
    if len(again):
        outcome[again] = _judge_each(rounds[:, again].transpose(1, 0, 2), threshold)
    pairs = zip(outcome.tolist(), number.tolist(), strict=True)
    return [End(each == Outcome.PASSED, rounds) for each, rounds in pairs]


def _judge_each(rounds: "np.ndarray", threshold: float) -> "np.ndarray":
    """Return (n,) the outcomes of attempts (n, rounds, 4), each pattern being judged once."""
    patterns, index = np.unique(rounds.reshape(len(rounds), -1), axis=0, return_inverse=True)
    outcomes = [
        _judge_pattern([tuple(each) for each in pattern.reshape(-1, 4).tolist()], threshold)
        for pattern in patterns
    ]
    return np.array(outcomes, object)[index]


def _judge_pattern(rounds: list[tuple[int, int, int, int]], threshold: float) -> Outcome:
    """Judge rounds of so many tiles, true ones, yes, and yes to true ones."""
    values: list[bool] = []
    known: list[float] = []
    for count, true, yes, hits in rounds:
        values += [True] * hits + [False] * (true - hits)
        values += [True] * (yes - hits) + [False] * (count - true - yes + hits)
        known += [1.0] * true + [0.0] * (count - true)
    evidence = passing.grid_evidence(values, known, [-1.0] * len(known), first_round=rounds[0][0])
    return passing.decide(evidence, threshold=threshold, last_round=len(rounds) == 2)


def capable(pictures: Pictures, count: int) -> None:
    draw = np.random.default_rng(3)
    deck = Deck(pictures, draw)
    for right in (0.7, 0.8, 0.9, 0.97):

        def answer(tiles: Tiles, right: float = right) -> Bools:
            return tiles.truth == (draw.random(len(tiles.truth)) < right)

        line(
            f"a network, {100 * right:.0f} % right",
            "any",
            lambda t, answer=answer: cp.attempts(deck, answer, t, count),
        )


def own_model(pictures: Pictures, name: str, count: int) -> None:
    """The project's own model, with and without known tiles that it gets wrong."""
    for against in (0.0, passing.AGAINST_MODEL):
        deck = Deck(pictures, np.random.default_rng(4), against_model=against)

        def sure(tiles: Tiles, deck: Deck = deck) -> Bools:
            return deck.predicted(tiles) >= 0.5

        def half(tiles: Tiles, deck: Deck = deck) -> Bools:
            said = deck.predicted(tiles)
            return said > np.median(said)

        what = f"agreed, {against:.2f} against it" if against else "agreed"
        for how, answer in (("yes from .5 on", sure), ("the likelier half", half)):
            line(
                f"the own model ({name}): {how}",
                what,
                lambda t, deck=deck, answer=answer: cp.attempts(deck, answer, t, count),
            )


def clip(folder: Path, pictures: Pictures, each: int = 100) -> Pictures:
    """Return some of each class's pictures with what the product predicts before any answer."""
    from tests.benchmarks import zero_shot

    with (folder / "cifar10" / "files_test.csv").open(newline="") as file:
        files = {row["file"]: int(row["task"]) for row in csv.DictReader(file)}
    names = [f"test/{name}/{n:04d}.jpg" for name in zero_shot.CLASSES for n in range(each)]
    with tempfile.TemporaryDirectory() as name:
        work, tiles = Path(name), {}
        with zipfile.ZipFile(folder / "cifar10" / "test.zip") as archive:
            for number, member in enumerate(names):
                path = work / f"{number}.jpg"
                path.write_bytes(archive.read(member))
                tiles[number] = path, None
        about = {
            number: (f"an {name}" if name.startswith("a") else f"a {name}", 1 / cp.CLASSES)
            for number, name in enumerate(zero_shot.CLASSES)
        }
        subjects = zero_shot.Subjects(tiles=tiles, concepts=about)
        log_odds = zero_shot.predicted(subjects, work, work / "cache")
    some = pictures.only(np.array([files[member] for member in names]))
    probability: Floats = 1 / (1 + np.exp(-log_odds.T.astype(float)))
    return Pictures(some.shown, some.people, probability)


def text_by_accuracy(count: int) -> None:
    draw = np.random.default_rng(5)
    for who, right in (
        ("guesses", 1 / 3),
        ("a bot", 0.7),
        ("people", 0.85),
        ("people", 0.9),
        ("people", 0.95),
        ("people, or a language model", 0.97),
    ):
        cells = []
        for threshold in THRESHOLDS.values():
            tried = BLIND if right < 0.5 else count
            judged: dict[tuple[int, ...], Outcome] = {}
            sizes, passed = text_rounds.sizes(threshold), 0
            for hits in draw.binomial(sizes, right, (tried, 2)):
                passed += _read(tuple(hits.tolist()), sizes, threshold, judged)
            cells.append(share(passed, tried))
        print(f"| {who} | {100 * right:.0f} % | {' | '.join(cells)} |", flush=True)


def _read(
    hits: tuple[int, ...],
    sizes: tuple[int, int],
    threshold: float,
    judged: dict[tuple[int, ...], Outcome],
) -> bool:
    """Whether so many hits in each round pass."""
    for number in (1, 2):
        key = hits[:number]
        if key not in judged:
            right, total = sum(key), sum(sizes[:number])
            evidence = passing.text_evidence([0] * right + [1] * (total - right), [0] * total)
            judged[key] = passing.decide(evidence, threshold=threshold, last_round=number == 2)
        if judged[key] != Outcome.ANOTHER:
            break
    return judged[key] == Outcome.PASSED


def demo() -> dict[str, float]:
    """Compose rounds of the demo's sentences, and let bots choose by their words."""
    from django.core.management import call_command

    from config import servers
    from config.demo_project import load

    with servers.ensure(Path(DATA.name)):
        call_command("migrate", verbosity=0)
        with load.prepare() as preparation:
            call_command("load_demo", preparation=preparation)
        return _words_bots()


def _words_bots() -> dict[str, float]:
    from labeling.models import Attempt, Project, Question, Site

    project = Project.objects.get()
    site = Site.objects.create(project=project, name="Shop", hosts=["shop.example"])
    bots = {"words, or neither": 1e-9, "words, never neither": -1.0}
    passed, right, judged = Counter[tuple[str, str]](), Counter[str](), 0
    for difficulty, threshold in THRESHOLDS.items():
        for _ in range(SENTENCES):
            drawn = text_rounds.compose(project, threshold=threshold)
            assert drawn is not None
            attempt = Attempt(site=site, door="text", first_round=drawn.first_round)
            for column in ("questions", "tiles", "reasons", "known", "sentences"):
                setattr(attempt, column, getattr(drawn, column))
            rows = Question.objects.filter(pk__in=drawn.sentences)
            texts = dict(rows.values_list("pk", "text"))
            words = [_words(texts[pk]) for pk in drawn.sentences]
            places = range(len(drawn.questions))
            truth = [text_rounds._right(attempt, place) for place in places]
            judged += sum(each >= 0 for each in truth)
            for bot, least in bots.items():
                chosen = [_choose(*words[3 * place : 3 * place + 3], least) for place in places]
                right[bot] += sum(a == b for a, b in zip(chosen, truth, strict=True))
                passed[bot, difficulty] += _passes(attempt, chosen, threshold)
    for bot in bots:
        cells = " | ".join(share(passed[bot, each], SENTENCES) for each in THRESHOLDS)
        print(f"| {bot}, in the demo | {100 * right[bot] / judged:.0f} % | {cells} |", flush=True)
    return {bot: passed[bot, "normal"] / SENTENCES for bot in bots}


def _passes(attempt: object, chosen: list[int], threshold: float) -> bool:
    attempt.values, first = [], attempt.first_round  # type: ignore[attr-defined]
    for number, part in ((1, chosen[:first]), (2, chosen[first:])):
        attempt.values += text_rounds.parse(attempt, number, part)  # type: ignore
        outcome = passing.decide(
            text_rounds.evidence(attempt),  # type: ignore[arg-type]
            threshold=threshold,
            last_round=number == 2,
        )
        if outcome != Outcome.ANOTHER:
            break
    return outcome == Outcome.PASSED


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - {"a", "an", "the", "of", "with", "and", "in"}


def _choose(reference: set[str], first: set[str], second: set[str], least: float) -> int:
    """Return the option with the largest overlap of words; 0 below the least."""
    overlaps = [len(reference & each) / max(len(reference | each), 1) for each in (first, second)]
    return 0 if max(overlaps) < least else 1 + int(overlaps[1] > overlaps[0])


def doors(rates: dict[str, float]) -> None:
    """What one attacker gets through each door in an hour, by addresses and cores."""
    wanted = work.parameters("normal")
    start, count = time.process_time(), 40
    for number in range(count):
        hashlib.scrypt(
            number.to_bytes(12), salt=b"salt", n=wanted.n, r=wanted.r, p=1, maxmem=2**26, dklen=32
        )
    price = wanted.hashes * (time.process_time() - start) / count
    hour = settings.CAPTCHA_ADDRESS_RATE * 10
    print(
        f"\nA computation takes {price:.1f} s of a core; an address begins {hour} attempts an hour."
    )
    guess, words = 1e-4, rates.get("words, or neither", float("nan"))
    bots = {
        "guesses (at most)": (guess, guess, 0.001),
        "reads words alone": (guess, words, 0.001),
        "a network and a language model, 90 % right": (
            _rate(0.9),
            _text_rate(0.9),
            NETWORK_SECONDS,
        ),
        "… 97 % right": (_rate(0.97), _text_rate(0.97), NETWORK_SECONDS),
    }
    print("\n| bot | addresses | cores | grid | text | work | most over least |")
    print("|---|---|---|---|---|---|---|")
    for name, (grid, text, seconds) in bots.items():
        for addresses in ADDRESSES:
            for cores in CORES:
                begun = min(hour * addresses, 3600 * cores / seconds)
                computed = min(hour * addresses, 3600 * cores / price)  # at the text door, too
                passes = grid * begun, text * computed, computed
                ratio = max(passes) / min(passes) if min(passes) else math.inf
                cells = " | ".join(f"{each:,.1f}" for each in passes)
                print(f"| {name} | {addresses} | {cores} | {cells} | {ratio:,.2f} |")


def _rate(right: float, count: int = 2_000) -> float:
    """Return how often a network that is so often right passes the grid."""
    draw, random = np.random.default_rng(6), Random(6)
    passed = 0
    for _ in range(count):
        rounds: list[tuple[int, int, int, int]] = []
        for size, true in (passing.draw_known(random), passing.draw_known(random)):
            hits = int(draw.binomial(true, right))
            rounds.append((size, true, hits + int(draw.binomial(size - true, 1 - right)), hits))
            outcome = _judge_pattern(rounds, GRID_THRESHOLDS["normal"])
            if outcome != Outcome.ANOTHER:
                break
        passed += outcome == Outcome.PASSED
    return passed / count


def _text_rate(right: float, count: int = 20_000) -> float:
    """Return how often a reader who is so often right passes the text door."""
    draw, threshold = np.random.default_rng(7), THRESHOLDS["normal"]
    sizes = text_rounds.sizes(threshold)
    judged: dict[tuple[int, ...], Outcome] = {}
    hits = draw.binomial(sizes, right, (count, 2)).tolist()
    return sum(_read(tuple(each), sizes, threshold, judged) for each in hits) / count


if __name__ == "__main__":
    main()
