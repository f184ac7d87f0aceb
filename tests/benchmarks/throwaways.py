"""How far throw-away pseudonyms turn labels, before and after a recomputation. Prints Markdown.

    python tests/benchmarks/throwaways.py [--attacks NAME …] [--seeds N] [--scale F] [--no-gold]

Everything goes through the services, with a database of its own: challenges are issued as the
product mixes them, honest people and attackers answer them in random order, and nothing is
recomputed until the end; then it is, three times. Each attack takes 40 % of all challenges. It is
compared with a run of the same honest people in the same project without the attackers.

- inverted: 240 pseudonyms, each with one challenge, of which all answers are wrong
- none, all: a hundred bots with four challenges each, who select no tile, or every tile
- turning: 120 pseudonyms who are right in one challenge and wrong in the next
- sleepers: 12 pseudonyms who are right in ten challenges and wrong in the next ten
- knowing: 240 pseudonyms with one challenge each, who know the gold, and are wrong elsewhere

Honest people are right with a probability of their own, .75 to .98 and .92 on average; one question
in twenty is hard, and everybody guesses there at .65. One gold question in fifty is marked wrongly.
"""

import argparse
import os
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

if TYPE_CHECKING:
    from labeling.models import Annotator, Challenge, Project

HONEST_SHARE = 0.6  # of all challenges
HONEST_EACH = 6  # challenges of an honest person
KINDS = {"grid": 0.6, "split": 0.15, "verify": 0.25}
CONCEPTS, PICTURES, SCENES = 3, 110, 6
PREVALENCE, GOLD_SHARE, HARD, HARD_ACCURACY, WRONG_GOLD = 0.3, 0.2, 0.05, 0.65, 0.02
RECOMPUTATIONS = 3

Answer = Callable[[int, bool, bool | None], bool]  # (number of the challenge, truth, gold) → yes


@dataclass(frozen=True)
class Attack:
    """So many attackers with so many challenges each, and how they answer."""

    people: int
    each: int
    answer: Answer


ATTACKS: Mapping[str, Attack] = {
    "inverted": Attack(240, 1, lambda number, truth, gold: not truth),
    "none": Attack(100, 4, lambda number, truth, gold: False),
    "all": Attack(100, 4, lambda number, truth, gold: True),
    "turning": Attack(120, 2, lambda number, truth, gold: truth == (number == 0)),
    "sleepers": Attack(12, 20, lambda number, truth, gold: truth == (number < 10)),
    "knowing": Attack(240, 1, lambda number, truth, gold: not truth if gold is None else gold),
}
PSEUDONYMS = 60  # attackers at an address, which is given no more on a day


@dataclass
class World:
    """A project, and what is true of it."""

    project: "Project"
    draw: random.Random
    accuracy: dict[int, float]
    hard: dict[int, bool]
    truth: dict[int, bool]
    verdict: dict[int, bool | None]

    def add_questions(self) -> None:
        """Decide what is true of the questions that are new."""
        for pk, verdict in self.project.questions.order_by("pk").values_list("pk", "verdict"):
            if pk not in self.truth:
                self.verdict[pk] = verdict
                wrong = verdict is not None and self.draw.random() < WRONG_GOLD
                drawn = self.draw.random() < PREVALENCE
                self.truth[pk] = drawn if verdict is None else verdict != wrong
                self.hard[pk] = verdict is None and self.draw.random() < HARD


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    settled: int
    wrong: int  # of the settled ones
    open_answers: int  # honest answers to questions that are not gold
    suspects: int  # honest people
    people: int  # honest

    @property
    def error(self) -> float:
        return 100 * self.wrong / max(self.settled, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of people and pictures")
    parser.add_argument("--no-gold", action="store_true", help="a project without any gold")
    wanted = parser.parse_args()
    from config import servers

    with servers.ensure(servers.data_dir()):
        import django

        django.setup()
        from django.test.utils import setup_databases, teardown_databases

        databases = setup_databases(verbosity=0, interactive=False)
        try:
            _print(wanted)
        finally:
            teardown_databases(databases, verbosity=0)


def _print(wanted: argparse.Namespace) -> None:
    print(
        "| attack | when | settled without | with | wrong without, % | with, % | more wrong, "
        "points (per seed) | honest answers a settled label without | with "
        "| honest people suspect |\n"
        "|---|---|---:|---:|---:|---:|---|---:|---:|---:|"
    )
    for name in wanted.attacks:
        pairs = []
        for seed in range(wanted.seeds):
            options = {"seed": seed, "scale": wanted.scale, "gold": not wanted.no_gold}
            pairs.append(
                (run(name, attacked=False, **options), run(name, attacked=True, **options))
            )
        for moment, when in enumerate(("before", "after")):
            _print_row(name, when, [(a[moment], b[moment]) for a, b in pairs])


def _print_row(name: str, when: str, pairs: list[tuple[Result, Result]]) -> None:
    def mean(values: Iterable[float]) -> float:
        return statistics.fmean(values)

    more = [b.error - a.error for a, b in pairs]
    cells = [
        f"{mean(a.settled for a, _ in pairs):.0f}",
        f"{mean(b.settled for _, b in pairs):.0f}",
        f"{mean(a.error for a, _ in pairs):.2f}",
        f"{mean(b.error for _, b in pairs):.2f}",
        f"{mean(more):+.2f} ({', '.join(f'{each:+.2f}' for each in more)})",
        f"{mean(a.open_answers / max(a.settled, 1) for a, _ in pairs):.2f}",
        f"{mean(b.open_answers / max(b.settled, 1) for _, b in pairs):.2f}",
        f"{sum(b.suspects for _, b in pairs)} of {sum(b.people for _, b in pairs)}",
    ]
    print(f"| {name} | {when} | {' | '.join(cells)} |", flush=True)


def run(name: str, *, attacked: bool, seed: int, scale: float, gold: bool) -> tuple[Result, Result]:
    """Return what all answers came to before a recomputation, and after some."""
    from labeling.inference import recompute
    from labeling.models import Annotator

    attack, label = ATTACKS[name], f"{name}-{attacked}-{seed}"
    world = make(label, seed=seed, scale=scale, gold=gold)
    attackers, challenges = round(attack.people * scale), _honest_challenges(attack, scale)
    draw = random.Random(seed)
    people = [_annotator(f"{label} honest {n}") for n in range(max(challenges // HONEST_EACH, 1))]
    for person in people:
        world.accuracy[person.pk] = min(max(draw.betavariate(18, 1.6), 0.75), 0.98)
    turns: list[tuple[Annotator, Attack | None]] = [
        (people[n % len(people)], None) for n in range(challenges)
    ]
    if attacked:
        bots = [_annotator(f"{label} bot {n}") for n in range(attackers)]
        turns += [(bot, attack) for bot in bots for _ in range(attack.each)]
    draw.shuffle(turns)
    random.seed(seed)
    numbers: dict[int, int] = {}
    answered = 0
    for who, as_attacker in turns:
        number = numbers.get(who.pk, 0)
        numbers[who.pk] = number + 1
        answered += _take_part(world, who, as_attacker, number)
    before = _result(world, people, answered)
    for _ in range(RECOMPUTATIONS):
        recompute.run(project=world.project)
    return before, _result(world, people, answered)


def _honest_challenges(attack: Attack, scale: float) -> int:
    return round(round(attack.people * scale) * attack.each * HONEST_SHARE / (1 - HONEST_SHARE))


def make(name: str, *, seed: int, scale: float, gold: bool) -> World:
    """Create a project of pictures and scenes, a share of them gold."""
    from labeling import pools, questions
    from labeling.images import tiles
    from labeling.models import Concept, Image, Project, Tile

    draw = random.Random(seed)
    random.seed(seed)
    project = Project.objects.create(
        state="open", slug=name, name=name, practice_questions=0, answers_cap=9
    )
    concepts = [
        Concept.objects.create(project=project, name=f"c{n}", phrase=f"a c{n}", prevalence=0.3)
        for n in range(CONCEPTS)
    ]
    pictures, scenes = round(PICTURES * scale), round(SCENES * scale)
    images = Image.objects.bulk_create(
        Image(
            project=project,
            sha256=f"{name}-{n}",
            source_sha256=f"{name}-{n}",
            perceptual_hash=n,
            width=64,
            height=64,
            source=f"{n}.png",
            random_key=draw.random(),
        )
        for n in range(pictures + scenes)
    )
    wholes = [tiles.whole(image) for image in images[:pictures]]
    tiles.cut_many(images[pictures:])
    parts = list(Tile.objects.filter(image__project=project, grid=4).order_by("pk"))
    known: dict[tuple[int, int], bool] = {}
    if gold:
        for tile in [*wholes, *parts]:
            for concept in concepts:
                if draw.random() < GOLD_SHARE:
                    known[tile.pk, concept.pk] = draw.random() < 0.5
    questions.ask_concepts(tiles=[*wholes, *parts], concepts=concepts, gold=known)
    pools.fill_project(project)
    world = World(project, draw, {}, {}, {}, {})
    world.add_questions()
    return world


def _annotator(pseudonym: str) -> "Annotator":
    from labeling.models import Annotator

    return Annotator.objects.create(pseudonym=pseudonym)


def _address(who: "Annotator") -> str:
    """Return where somebody is: attackers come from as few addresses as they can."""
    _label, role, number = who.pseudonym.rsplit(" ", 2)
    n = int(number) // PSEUDONYMS if role == "bot" else int(number)
    return f"2001:db8:{role == 'bot':x}:{n:x}::1"


def _take_part(world: World, who: "Annotator", attack: Attack | None, number: int) -> int:
    """Answer one challenge; return how many answers an honest person gave to what is unknown."""
    from labeling import challenges

    kinds = random.choices(list(KINDS), list(KINDS.values())) + list(KINDS)
    for kind in kinds:
        challenge = challenges.issue(
            annotator=who, project=world.project, kind=kind, address=_address(who)
        )
        if challenge is not None:
            break
    else:
        return 0
    if not set(challenge.questions) <= set(world.truth):
        world.add_questions()
    values = list(_values(world, challenge, who, attack, number))
    found = challenges.find(challenges.token(challenge), who)
    if challenge.kind == "verify":
        challenges.answer(challenge=found, yes=values[0])
    else:
        selected = [place for place, value in enumerate(values, 1) if value]
        challenges.answer(challenge=found, selected=selected)
    unknown = sum(world.verdict[question] is None for question in challenge.questions)
    return 0 if attack else unknown


def _values(
    world: World, challenge: "Challenge", who: "Annotator", attack: Attack | None, number: int
) -> Iterator[bool]:
    for question in challenge.questions:
        truth = world.truth[question]
        if attack:
            yield attack.answer(number, truth, world.verdict[question])
            continue
        right = HARD_ACCURACY if world.hard[question] else world.accuracy[who.pk]
        yield truth == (world.draw.random() < right)


def _result(world: World, people: list["Annotator"], answered: int) -> Result:
    from labeling.models import Annotator

    rows: Any = world.project.questions.filter(state="settled", verdict=None)
    settled = [
        (pk, probability >= 0.5) for pk, probability in rows.values_list("pk", "probability")
    ]
    honest = Annotator.objects.filter(pk__in=[person.pk for person in people])
    return Result(
        settled=len(settled),
        wrong=sum(world.truth[pk] != label for pk, label in settled),
        open_answers=answered,
        suspects=honest.filter(suspect_since__isnull=False).count(),
        people=len(people),
    )


if __name__ == "__main__":
    main()
