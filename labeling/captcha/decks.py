"""What can be asked about each concept, kept in memory and drawn from at random.

A visitor of a site has answered nothing before, so that what suits one suits all: each process
reads a few hundred questions of a concept at once, from a random point on, and draws from them
for `SECONDS`. So to begin an attempt costs no query for what it asks, however large the project.
"""

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling import checks, prepared
from labeling.captcha.kept import Kept
from labeling.captcha.passing import UNKNOWN
from labeling.models import Concept, Project
from labeling.selection import candidates

SECONDS = 60.0  # for which a deck is drawn from
READY_SECONDS = 30.0  # for which it is remembered which concepts can be asked about
KNOWN = 400  # known questions of either truth and kind in a deck
OPEN = 200  # open questions in a deck, by priority and at random each
HANDED_OUT = 3  # times that an open question is drawn from a deck
LEAST_YES, LEAST_NO = 8, 16  # pictures of known truth, without which a concept is not asked about
ENOUGH = 200  # of either, from which on an attacker who learns pictures by heart learns long

_COLUMNS = """w.id, w.tile_id, tile.image_id,
    (SELECT near_duplicate_of_id FROM labeling_image WHERE id = tile.image_id),
    w.verdict, w.probability, w.model_probability"""


class Card(NamedTuple):
    """A question about a whole picture, as an attempt shows it."""

    question: int
    tile: int
    family: int  # the image that stands for its picture and near-duplicates of it
    reason: str  # of `Answer.Reason`
    known: float  # probability of yes where the truth is known; else UNKNOWN
    predicted: float  # the model's probability of yes; UNKNOWN without one

    @property
    def is_misjudged(self) -> bool:
        """Whether the truth is known, and the project's model takes it for the other."""
        known = self.known != UNKNOWN and self.predicted != UNKNOWN
        return known and (self.known > 0.5) != (self.predicted > 0.5)


@dataclass
class Deck:
    """The questions about one concept that a process draws from."""

    yes: list[Card] = field(default_factory=list)  # known to be true
    no: list[Card] = field(default_factory=list)
    wanted: list[Card] = field(default_factory=list)  # open, by priority
    at_random: list[Card] = field(default_factory=list)  # open, of the random slice
    until: float = 0.0  # by the monotonic clock
    _drawn: Counter[int] = field(default_factory=Counter)

    def hand_out(self, card: Card) -> None:
        """Count an open card that is shown; from the third time on it waits for the next deck."""
        self._drawn[card.question] += 1
        if self._drawn[card.question] >= HANDED_OUT:
            for cards in (self.wanted, self.at_random):
                if card in cards:
                    cards.remove(card)


class Readiness(NamedTuple):
    """What is known about a concept's pictures."""

    concept: Concept
    yes: int  # known to be true, KNOWN of gold and of checks at most
    no: int

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked about."""
        return self.yes >= LEAST_YES and self.no >= LEAST_NO

    @property
    def is_ample(self) -> bool:
        """Whether there is so much that to learn it by heart takes long."""
        return min(self.yes, self.no) >= ENOUGH


_decks = Kept[Deck]()
_ready: dict[int, tuple[float, dict[int, float]]] = {}


def may_be_asked(project: Project) -> bool:
    """Whether a project's pictures may be shown to the visitors of other sites."""
    return project.active and project.state != Project.State.DRAFT and not project.private


def readiness(project: Project) -> list[Readiness]:
    """Return for each active concept how much is known, what has most first."""
    concepts = {concept.pk: concept for concept in project.concepts.filter(active=True)}
    counts = _count_known(list(concepts))
    found = [Readiness(concept, *counts.get(pk, (0, 0))) for pk, concept in concepts.items()]
    return sorted(found, key=lambda each: min(each.yes, each.no), reverse=True)


def ready(project: Project) -> Mapping[int, float]:
    """Return the value of each concept that can be asked about, by id; remembered for a while."""
    now = time.monotonic()
    remembered = _ready.get(project.pk)
    if remembered is None or remembered[0] <= now:
        values = {
            each.concept.pk: each.concept.value for each in readiness(project) if each.is_ready
        }
        remembered = (now + READY_SECONDS, values)
        _ready[project.pk] = remembered
    return remembered[1]


def deck(project: Project, concept: int) -> Deck:
    """Return the deck of a concept, up to `SECONDS` old or so."""
    return _decks.get(concept, lambda: _read(project, concept))


def forget() -> None:
    """Forget all decks, and which concepts are ready."""
    _decks.forget()
    _ready.clear()


def _read(project: Project, concept: int) -> Deck:
    """Read a concept's deck from a random point of its questions on."""
    deck = Deck(until=time.monotonic() + SECONDS * random.uniform(0.8, 1.2))
    values = {"concept": concept, "grid": 1, "answers_cap": project.answers_cap}
    for verdict, cards in ((True, deck.yes), (False, deck.no)):
        gold = candidates.gold(concept, 1, verdict, "").condition
        checked = candidates.checks_of(concept, 1, verdict, "").condition
        cards += _cards(gold, _hidden(project), "gold", values, KNOWN)
        cards += _cards(checked, checks.trusted("w"), "check", values, KNOWN)
    wanted = candidates.most_wanted(concept, 1, "").condition
    sliced = candidates.at_random(concept, 1, "").condition
    deck.wanted = _cards(wanted, "true", "wanted", values, OPEN, "priority DESC, random_key")
    deck.at_random = _cards(sliced, "true", "random", values, OPEN, "slice_key")
    return deck


def _hidden(project: Project) -> str:
    """Return SQL: whether a gold question is none of the project's practice."""
    practice = candidates.PRACTICE.replace("%(practice_of)s", str(project.pk))
    return f"w.id <> ALL(ARRAY({practice}))"


def _cards(
    condition: str,
    also: str,
    reason: str,
    values: Mapping[str, int],
    most: int,
    order: str = "",
) -> list[Card]:
    """Return up to `most` cards that meet a condition, from a random point on without an order."""
    scans = [(f"{condition} AND random_key >= %(point)s", "random_key")]
    scans += [(f"{condition} AND random_key < %(point)s", "random_key DESC")]
    if order:
        scans = [(condition, order)]
    rows: list[tuple[object, ...]] = []
    point = random.random()
    for where, by in scans:
        if len(rows) < most:
            text = f"""
                SELECT {_COLUMNS} FROM (
                    SELECT * FROM labeling_question WHERE {where} ORDER BY {by} LIMIT {most}
                ) AS w JOIN labeling_tile AS tile ON tile.id = w.tile_id
                WHERE {also} AND NOT {checks.flagged("w")}
            """
            rows += prepared.fetch(" ".join(text.split()), {**values, "point": point})
    return [_card(reason, *row) for row in rows[:most]]  # type: ignore[arg-type]


def _card(
    reason: str,
    question: int,
    tile: int,
    image: int,
    original: int | None,
    verdict: bool | None,
    probability: float,
    predicted: float | None,
) -> Card:
    known: float = UNKNOWN
    if reason in {"gold", "check"}:
        known = probability if verdict is None else float(verdict)
    return Card(
        question,
        tile,
        original or image,
        reason,
        known,
        UNKNOWN if predicted is None else predicted,
    )


def _count_known(concepts: list[int]) -> dict[int, tuple[int, int]]:
    """Return how many are known to be true, and not, by concept; KNOWN of each kind at most."""
    parts = []
    for verdict in (True, False):
        for window in (candidates.gold(0, 1, verdict, ""), candidates.checks_of(0, 1, verdict, "")):
            condition = window.condition.replace("%(concept)s", "concept.id")
            parts.append(
                f"(SELECT count(*) FROM (SELECT FROM labeling_question WHERE "
                f"{condition.replace('concept_id =', 'labeling_question.concept_id =')} "
                f"LIMIT {KNOWN}) AS q)"
            )
    yes, no = " + ".join(parts[:2]), " + ".join(parts[2:])
    text = f"SELECT id, {yes}, {no} FROM unnest(%(concepts)s::bigint[]) AS concept(id)"
    rows = prepared.fetch(text, {"concepts": concepts, "grid": 1})
    return {pk: (yes, no) for pk, yes, no in rows}
