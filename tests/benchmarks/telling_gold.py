"""How well gold can be told from open questions by what one address can collect. Prints Markdown.

An attacker asks for challenges at one address (or several), under as many pseudonyms as an address
is given, beside a crowd of honest annotators at addresses of their own, who came before; all
against the real services and a real database, with a clock of its own. The attacker answers truly,
at random or not at all, and looks at every outcome and at what is told later. Each pair of a tile
and a concept that was shown becomes a row of features; classifiers (logistic regression and
boosted stumps) are trained on four fifths of the pairs, of which the truth is given to them, and
applied to the rest, in turns. The better one's area under the curve counts.

    python tests/benchmarks/telling_gold.py [SETTING …] [--tiles 10000]

"What it shows" is whether the tile shows the concept, by the attacker's own eyes, and what the
model says: gold is half yes and half no, and open questions are what the project holds. It is left
out in the last column.
"""

import argparse
import inspect
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import expit, logit  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import servers

Floats = npt.NDArray[np.float64]
PSEUDONYMS = 60  # that an address is given on a day
SHARE = 0.4  # of all challenges are the attacker's
IDLE = 3  # times that a pseudonym is asked nothing, before the next one comes
RIGHT = 0.93  # how often honest people are
SKIPPED, GUESSED = 0.15, 0.15  # shares of the attacker's challenges
YES = 0.3  # share of tiles that show a concept
FOLDS, ROUNDS, BINS = 5, 60, 12
KINDS = {"grid": 0.85, "verify": 0.15}
SHOWS = {"own answer", "model is right", "model is told"}  # features of what a tile shows

HEADER = """\
| project | address | challenges | pairs: open | gold | checks | gold, AUC | known, AUC | without \
what it shows |
|---|---|---:|---:|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Setting:
    pictures: int
    concepts: int
    gold: int  # of each concept
    before: int  # challenges of the crowd before the attack begins
    crowd: int = 150  # honest annotators
    addresses: int = 1


SETTINGS = {
    "large": Setting(pictures=20_000, concepts=4, gold=200, before=1_500),
    "small": Setting(pictures=500, concepts=2, gold=20, before=150, crowd=20),
    "none": Setting(pictures=5_000, concepts=4, gold=0, before=600),
    "fresh": Setting(pictures=20_000, concepts=4, gold=200, before=0),
    "addresses": Setting(pictures=20_000, concepts=4, gold=200, before=1_500, addresses=5),
}


class Clock:
    """The time that everything goes by, from noon on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(hour=12, minute=0) + timedelta(days=1)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Seen:
    """What an attacker has seen of one pair."""

    times: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    skipped: list[bool] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)
    pseudonyms: set[int] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    settled: list[float] = field(default_factory=list)
    disputed: list[float] = field(default_factory=list)
    together: list[int] = field(default_factory=list)  # ids of the others in its challenges
    votes: list[int] = field(default_factory=list)  # that were told
    model: list[bool] = field(default_factory=list)
    states: list[str] = field(default_factory=list)  # a day later


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", default=list(SETTINGS))
    parser.add_argument("--tiles", type=int, default=10_000)
    parser.add_argument("--features", action="store_true", help="say what each tells alone")
    wanted = parser.parse_args()
    with servers.ensure(servers.data_dir()):
        import django

        django.setup()
        from django.conf import settings
        from django.db import connection

        # A database and a part of the cache of its own: several can be measured at once.
        connection.settings_dict["TEST"]["NAME"] = f"test_gold_{os.getpid()}"
        settings.CACHES["default"]["KEY_PREFIX"] = f"gold-{os.getpid()}"
        print(HEADER, flush=True)
        for name in wanted.settings:
            rows, line = measure(name, SETTINGS[name], wanted.tiles)
            print(line, flush=True)
            if wanted.features:
                print(each_alone(rows), flush=True)
        if not wanted.features:
            print(suspect_share())


def measure(name: str, setting: Setting, tiles: int) -> tuple["Rows", str]:
    """Return the pairs of one setting, and its row of the table."""
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        attack = Attack(setting, tiles)
        attack.run()
        rows = attack.rows()
    finally:
        teardown_databases(databases, verbosity=0)
    counts = Counter(rows.labels)
    gold = rows.of({"open", "gold"})
    known = rows.of({"open", "gold", "check"})
    cells = [f"{evaluate(each)}" for each in (gold, known, known.without(SHOWS))]
    return rows, (
        f"| {name} | {setting.addresses} | {attack.challenges:,} | {counts['open']:,} "
        f"| {counts['gold']:,} | {counts['check']:,} | {' | '.join(cells)} |"
    )


class Attack:
    """Challenges of an attacker and of an honest crowd, in turns."""

    def __init__(self, setting: Setting, tiles: int) -> None:
        from django.utils import timezone

        from labeling import challenges, pools
        from labeling.models import Annotator

        self.low: set[tuple[int, int]] = set()
        pools.fill_later = lambda concept, grid: self.low.add((concept, grid))
        self.setting, self.tiles, self.challenges = setting, tiles, 0
        self.dice = random.Random(1)
        random.seed(1)
        self.clock = Clock()
        timezone.now = self.clock  # type: ignore[assignment]
        self.project, self.truth = make_project(setting)
        self.new = "address" in inspect.signature(challenges.issue).parameters
        self.seen: dict[int, Seen] = defaultdict(Seen)
        self.tile_of: dict[int, tuple[int, int]] = {}  # question → tile, concept
        self.answered: list[Any] = []
        count = PSEUDONYMS * setting.addresses
        self.pseudonyms = [Annotator.objects.create() for _ in range(count)]
        self.crowd = [Annotator.objects.create() for _ in range(setting.crowd)]

    def run(self) -> None:
        shown = idle = 0
        self.exhausted = 0  # pseudonyms that were asked nothing more
        started = time.perf_counter()
        for _ in range(self.setting.before):
            self.clock.advance(4)
            self._answer_honestly()
        while shown < self.tiles and idle < 200:
            self.clock.advance(4)
            if self.dice.random() < SHARE:
                tiles = self._attack(shown)
                idle = 0 if tiles else idle + 1
                self.exhausted += idle > 0 and idle % IDLE == 0
                shown += tiles
            else:
                self._answer_honestly()
        self._look_at_results()
        print(f"<!-- {time.perf_counter() - started:.0f} s -->", file=sys.stderr)

    def _issue(self, annotator: Any, address: str) -> Any:
        from labeling import challenges

        self._fill_pools()
        (kind,) = self.dice.choices(list(KINDS), list(KINDS.values()))
        where = {"address": address} if self.new else {}
        try:
            return challenges.issue(annotator=annotator, project=self.project, kind=kind, **where)
        except challenges.ChallengeError:
            return None  # it is to wait

    def _fill_pools(self) -> None:
        """Do what a worker does meanwhile."""
        from labeling import pools
        from labeling.models import Concept

        for concept, grid in self.low:
            pools.fill(Concept.objects.get(pk=concept), grid)
        self.low.clear()

    def _answer_honestly(self) -> None:
        annotator = self.dice.choice(self.crowd)
        challenge = self._issue(annotator, f"198.51.100.{annotator.pk % 250}")
        if challenge is not None:
            right = [self.dice.random() < RIGHT for _ in challenge.tiles]
            truth = [self.truth[tile, challenge.concept_id] for tile in challenge.tiles]
            give(challenge, [a == b for a, b in zip(truth, right, strict=True)])

    def _attack(self, shown: int) -> int:
        """Look at one challenge; return how many tiles it showed."""
        from labeling import challenges

        share = shown / self.tiles
        number = int(share * len(self.pseudonyms)) + self.exhausted
        number = min(number, len(self.pseudonyms) - 1)
        annotator = self.pseudonyms[number]
        challenge = self._issue(annotator, f"203.0.113.{number // PSEUDONYMS}")
        if challenge is None:
            return 0
        self.challenges += 1
        truth = [self.truth[tile, challenge.concept_id] for tile in challenge.tiles]
        skips, guesses = self.dice.random() < SKIPPED, self.dice.random() < GUESSED
        values = [self.dice.random() < 0.5 for _ in truth] if guesses else truth
        if skips:
            where = {"address": "203.0.113.0"} if self.new else {}
            challenges.skip(challenge=challenge, **where)
            outcome = None
        else:
            outcome = give(challenge, values)
            self.answered.append(challenge.pk)
        self._note(challenge, number, truth, outcome)
        return len(challenge.tiles)

    def _note(self, challenge: Any, pseudonym: int, truth: list[bool], outcome: Any) -> None:
        asked = list(
            zip(challenge.questions, challenge.tiles, challenge.reasons, truth, strict=True)
        )
        for place, (question, tile, reason, shows) in enumerate(asked):
            seen = self.seen[question]
            self.tile_of[question] = tile, challenge.concept_id
            seen.times.append(self.challenges)
            seen.places.append(place)
            seen.sizes.append(len(asked))
            seen.skipped.append(outcome is None)
            seen.own.append(shows)
            seen.pseudonyms.add(pseudonym)
            seen.reasons.add(reason)
            seen.kinds[challenge.kind] += 1
            seen.together += [other for other, *_ in asked if other != question]
            if outcome is not None:
                seen.settled.append(outcome.settled / len(asked))
                seen.disputed.append(outcome.disputed / len(asked))

    def _look_at_results(self) -> None:
        """Ask for all results, soon and a day later."""
        if not self.new:
            return
        from labeling import results
        from labeling.models import Challenge

        for late in (False, True):
            self.clock.advance(25 * 3600 if late else 60)
            for challenge in Challenge.objects.filter(pk__in=self.answered):
                for question, told in zip(
                    challenge.questions, results.of_challenge(challenge), strict=True
                ):
                    seen = self.seen[question]
                    if late:
                        seen.states.append(told.result.state)
                    elif told.result.others is not None:
                        seen.votes.append(told.result.others.yes + told.result.others.no)
                    if not late and told.result.model is not None:
                        seen.model.append(told.result.model)

    def rows(self) -> "Rows":
        """Return the features of all pairs that were shown, and what they were."""
        shown_tiles: Counter[int] = Counter()
        concepts: dict[int, set[int]] = defaultdict(set)
        for question, seen in self.seen.items():
            tile, concept = self.tile_of[question]
            shown_tiles[tile] += len(seen.times)
            concepts[tile].add(concept)
        labels, table = [], []
        for question, seen in self.seen.items():
            tile = self.tile_of[question][0]
            labels.append(label(seen.reasons))
            table.append(features(seen, shown_tiles[tile], len(concepts[tile]), self.seen))
        return Rows(
            np.array(labels), list(table[0]), np.array([list(row.values()) for row in table])
        )


def label(reasons: set[str]) -> str:
    """Return "gold" or "open"; "check" for what was a check, or open at first and a check later."""
    if "gold" in reasons:
        return "gold"
    return "check" if "check" in reasons else "open"


def features(
    seen: Seen, of_tile: int, concepts: int, all_seen: dict[int, Seen]
) -> dict[str, float]:
    """Return the features of a pair."""
    times = seen.times
    first_skip = next((n for n, skipped in enumerate(seen.skipped) if skipped), None)
    others = [len(all_seen[other].times) for other in seen.together]
    return {
        "showings": len(times),
        "showings of the picture": of_tile,
        "concepts of the picture": concepts,
        "pseudonyms": len(seen.pseudonyms),
        "first": times[0],
        "last": times[-1],
        "lag": times[1] - times[0] if len(times) > 1 else -1,
        "place": mean(seen.places),
        "size": mean(seen.sizes),
        "skipped": mean(seen.skipped),
        "shown after a skip": 0 if first_skip is None else len(times) - 1 - first_skip,
        "settled": mean(seen.settled),
        "disputed": mean(seen.disputed),
        "verified": seen.kinds["verify"] / len(times),
        "others' showings": mean(others),
        "others' most": max(others, default=0),
        "told": len(seen.votes),
        "votes": mean(seen.votes),
        "certain later": mean([state == "settled" for state in seen.states]),
        "hard later": mean([state == "ambiguous" for state in seen.states]),
        "own answer": mean(seen.own),
        "model is told": mean([1.0 if word else -1.0 for word in seen.model]),
        "model is right": mean([word == seen.own[0] for word in seen.model]),
    }


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else -0.1


def give(challenge: Any, values: list[bool]) -> Any:
    """Answer a challenge by the truth of its tiles."""
    from labeling import challenges

    if challenge.kind == "verify":
        return challenges.answer(challenge=challenge, yes=values[0])
    selected = [number for number, value in enumerate(values, 1) if value]
    return challenges.answer(challenge=challenge, selected=selected)


def make_project(setting: Setting) -> tuple[Any, dict[tuple[int, int], bool]]:
    """Make pictures, predictions, gold and pools; return the project and the truth of all pairs."""
    from labeling import pools, predictions, questions
    from labeling.models import Concept, Project
    from tests.labeling.meadow import add_pictures, predict

    draw = np.random.default_rng(1)
    project = Project.objects.create(state="open", slug="attacked", name="x", practice_questions=0)
    tiles = [tile.pk for tile in add_pictures(project, setting.pictures)]
    concepts = [
        Concept.objects.create(project=project, name=f"c{n}", phrase=f"a c{n}", prevalence=YES)
        for n in range(setting.concepts)
    ]
    truth: dict[tuple[int, int], bool] = {}
    gold: dict[tuple[int, int], bool] = {}
    predict(concepts[0], dict.fromkeys(tiles, 0.5))  # which stores the features' tiles
    for concept in concepts:
        yes = draw.random(len(tiles)) < YES
        seen = expit(2.0 * np.where(yes, 1, -1) + 1.5 * draw.standard_normal(len(tiles)) - 0.5)
        concept.predictions.name = predictions.save(
            logit(seen.clip(0.01, 0.99)), concept=concept, features=project.features.name
        )
        concept.model_weight = 1.0
        concept.save()
        truth |= {(tile, concept.pk): bool(y) for tile, y in zip(tiles, yes, strict=True)}
        for verdict in (True, False):
            some = draw.choice(np.array(tiles)[yes == verdict], setting.gold // 2, replace=False)
            gold |= {(int(tile), concept.pk): verdict for tile in some}
    if gold:
        from labeling.models import Tile

        by_concept = defaultdict(list)
        for tile, concept_id in gold:
            by_concept[concept_id].append(tile)
        for concept in concepts:
            rows = list(Tile.objects.filter(pk__in=by_concept[concept.pk]))
            questions.ask_concepts(tiles=rows, concepts=[concept], gold=gold)
    for concept in concepts:
        pools.fill(concept, 1)
    return Project.objects.get(pk=project.pk), truth


@dataclass(frozen=True)
class Rows:
    """Pairs: what they are, and their features."""

    labels: npt.NDArray[np.str_]  # (N,)
    names: list[str]  # (F,)
    table: Floats  # (N, F)

    def of(self, labels: set[str]) -> "Rows":
        kept = np.isin(self.labels, list(labels))
        return Rows(self.labels[kept], self.names, self.table[kept])

    def without(self, names: set[str]) -> "Rows":
        kept = [n for n, name in enumerate(self.names) if name not in names]
        return Rows(self.labels, [self.names[n] for n in kept], self.table[:, kept])


def evaluate(rows: Rows) -> str:
    """Return the AUC of the better classifier, with a 95 % interval, and the feature best alone."""
    known = rows.labels != "open"
    if known.sum() < FOLDS * 2 or (~known).sum() < FOLDS * 2:
        return "–"
    scores = [cross_validated(rows.table, known, method) for method in (logistic, stumps)]
    best = max(scores, key=lambda each: auc(each, known))
    low, high = interval(best, known)
    single = max(
        zip(rows.names, rows.table.T, strict=True),
        key=lambda column: abs(auc(column[1], known) - 0.5),
    )
    alone = f"{single[0]} {auc(single[1], known):.2f}"
    return f"{auc(best, known):.3f} ({low:.3f}–{high:.3f}; alone: {alone})"


def each_alone(rows: Rows) -> str:
    """Return a table of the features, those that tell the most first."""
    lines = [
        "\n| feature | AUC: gold | checks | mean: open | gold | checks |",
        "|---|" + "---:|" * 5,
    ]
    kinds = [rows.labels == label for label in ("gold", "check", "open")]
    table = []
    for name, column in zip(rows.names, rows.table.T, strict=True):
        areas = [
            auc(column[some | kinds[2]], some[some | kinds[2]]) if some.any() else 0.5
            for some in kinds[:2]
        ]
        means = [column[some].mean() if some.any() else np.nan for some in kinds]
        table.append((name, areas, (means[2], means[0], means[1])))
    table.sort(key=lambda each: -max(abs(area - 0.5) for area in each[1]))
    for name, (gold, check), means in table:
        cells = " | ".join(f"{value:.2f}" for value in means)
        lines.append(f"| {name} | {gold:.2f} | {check:.2f} | {cells} |")
    return "\n".join(lines)


def cross_validated(table: Floats, known: npt.NDArray[np.bool_], method: Any) -> Floats:
    """Return (N,) scores, each by a classifier that has not seen that pair's truth."""
    fold = np.random.default_rng(2).integers(0, FOLDS, len(known))
    scores = np.zeros(len(known))
    for number in range(FOLDS):
        test = fold == number
        raw = method(table[~test], known[~test].astype(float), table[test])
        scores[test] = raw.argsort().argsort() / max(test.sum(), 1)  # folds differ in scale
    return scores


def logistic(x: Floats, y: Floats, new: Floats) -> Floats:
    """Return the scores of a ridge logistic regression on the features and their squares."""
    center, scale = x.mean(0), x.std(0) + 1e-9

    def expand(rows: Floats) -> Floats:
        z = ((rows - center) / scale).clip(-5, 5)
        return np.hstack([np.ones((len(z), 1)), z, z**2])

    a = expand(x)
    weight = np.where(y > 0, (1 - y).sum() / max(y.sum(), 1), 1.0)

    def loss(w: Floats) -> tuple[float, Floats]:
        p = expit(a @ w)
        value = -(weight * (y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12))).sum()
        return value + w[1:] @ w[1:], a.T @ (weight * (p - y)) + 2 * np.r_[0, w[1:]]

    fitted = minimize(loss, np.zeros(a.shape[1]), jac=True, method="L-BFGS-B")
    scores: Floats = expand(new) @ fitted.x
    return scores


def stumps(x: Floats, y: Floats, new: Floats) -> Floats:
    """Return the scores of boosted stumps.

    J. H. Friedman, "Greedy function approximation", Annals of Statistics 29 (2001).
    """
    cuts = [np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1])) for column in x.T]
    score, out = np.full(len(x), 0.0), np.zeros(len(new))
    weight = np.where(y > 0, (1 - y).sum() / max(y.sum(), 1), 1.0)
    for _ in range(ROUNDS):
        p = expit(score)
        gradient, curvature = weight * (y - p), weight * p * (1 - p) + 1e-9
        best: tuple[float, int, float, float, float] | None = None
        for column, some in enumerate(cuts):
            for cut in some:
                left = x[:, column] <= cut
                sides = [(gradient[s].sum(), curvature[s].sum() + 5.0) for s in (left, ~left)]
                gain = sum(g * g / h for g, h in sides)
                if best is None or gain > best[0]:
                    best = gain, column, cut, *(0.3 * g / h for g, h in sides)
        assert best is not None
        _, column, cut, low, high = best
        score += np.where(x[:, column] <= cut, low, high)
        out += np.where(new[:, column] <= cut, low, high)
    return out


def auc(scores: Floats, known: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a known pair has a higher score than an open one."""
    _values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = known.sum()
    return float((rank[known].sum() - n * (n + 1) / 2) / (n * (~known).sum()))


def interval(scores: Floats, known: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the 95 % interval of an AUC, by a bootstrap over pairs."""
    draw, some = np.random.default_rng(3), []
    for _ in range(200):
        rows = draw.integers(0, len(known), len(known))
        some.append(auc(scores[rows], known[rows]))
    low, high = np.quantile(some, [0.025, 0.975])
    return float(low), float(high)


def suspect_share() -> str:
    """Return in a sentence what share of a suspect annotator's tiles is gold."""
    from django.test.utils import setup_databases, teardown_databases
    from django.utils import timezone

    from labeling import challenges
    from labeling.models import Annotator

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        project, _ = make_project(Setting(pictures=2_000, concepts=4, gold=200, before=0))
        shares = []
        for since in (None, timezone.now()):
            annotator = Annotator.objects.create(suspect_since=since)
            reasons: list[str] = []
            for _ in range(40):
                challenge = challenges.issue(annotator=annotator, project=project, kind="grid")
                reasons += challenge.reasons if challenge else []
                if challenge:
                    challenges.answer(challenge=challenge, selected=[])
                Annotator.objects.filter(pk=annotator.pk).update(suspect_since=since)
            shares.append(reasons.count("gold") / len(reasons))
    finally:
        teardown_databases(databases, verbosity=0)
    return f"\nGold of all tiles: of a newcomer {shares[0]:.0%}, of a suspect {shares[1]:.0%}."


if __name__ == "__main__":
    main()
