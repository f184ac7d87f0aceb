"""What text questions can be made of, kept in memory and drawn from at random.

As with the decks of pictures, each process reads some hundred sentences of a project at once, from
a random point on, and draws from them for `SECONDS`. So to begin an attempt costs no query for what
it asks, and to read a deck costs the same however many captions are stored.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from django.utils import timezone

from labeling import checks, prepared
from labeling.captcha.kept import Kept
from labeling.captcha.passing import UNKNOWN
from labeling.models import Answer, Project
from labeling.selection import reservations, texts
from labeling.selection.overlap import Overlap

SECONDS = 60.0  # for which a deck is drawn from
READ = 150  # captions of each state, on each side of a random point
HANDED_OUT = 3  # times that an open caption is drawn from a deck
LEAST = 60  # pictures with a pair of true sentences: one attempt shows up to fifty of them
ENOUGH = 400  # of them, from which on an attacker who learns them by heart learns long

_STRETCH = """(SELECT tile_id FROM labeling_question
    WHERE project_id = %(project)s AND kind = 'caption' AND state = '{state}'
    {order} LIMIT %(most)s)"""
_ORDERS = (
    "AND random_key >= %(point)s ORDER BY random_key",
    "AND random_key < %(point)s ORDER BY random_key DESC",
)
_PARTS = [(state, order) for state in ("gold", "settled") for order in _ORDERS]
_PARTS.append(("open", "ORDER BY priority DESC, random_key"))
_TILES = "SELECT DISTINCT tile_id FROM ({}) AS near".format(
    " UNION ALL ".join(_STRETCH.format(state=state, order=order) for state, order in _PARTS)
)
# A caption is known if it is gold, if a reviewer decided it, or if it may check people. What people
# settled either serves as a reference or checks, by chance (`checks.MAY_BE_TOLD`). Nothing is shown
# on other sites that somebody flagged, or that a visitor wrote and nobody confirmed.
_CAPTIONS = f"""
SELECT q.id, q.tile_id, q.text, q.random_key, {texts.IS_REFERENCE} AND NOT {checks.flagged("q")},
    CASE WHEN q.source = 'model' OR q.grid <> 1 OR {checks.flagged("q")} THEN ''
        WHEN q.state = 'gold' THEN 'gold'
        WHEN q.state = 'settled' AND q.verdict IS NOT NULL THEN 'check'
        WHEN ({checks.settled_as(True)} AND NOT {checks.MAY_BE_TOLD} OR {checks.settled_as(False)})
            AND {checks.trusted("q")} THEN 'check'
        WHEN q.state = 'open' AND q.source = 'import' AND q.stated IS NOT NULL
            AND {reservations.available("q")} THEN 'wanted'
        ELSE '' END,
    coalesce(q.verdict::int::float8, q.probability)
FROM labeling_question AS q WHERE q.kind = 'caption' AND q.tile_id = ANY(%(tiles)s::bigint[])
"""


class Sentence(NamedTuple):
    """A caption of a picture."""

    question: int
    text: str
    key: float  # the random key of its question
    is_reference: bool
    reason: str  # for which it is asked, of `Answer.Reason`; empty: it is not asked
    probability: float

    @property
    def known(self) -> float:
        """The probability that it is true, where that is known; else UNKNOWN."""
        return UNKNOWN if self.reason == Answer.Reason.WANTED else self.probability


class Pair(NamedTuple):
    """A caption that may be asked about, and a true one of the same picture to compare it with."""

    tile: int
    family: int  # the image that stands for its picture and near-duplicates of it
    things: frozenset[str]  # that the picture is said to show
    reference: Sentence
    asked: Sentence
    own: tuple[str, ...]  # all captions of the picture


class Readiness(NamedTuple):
    """How many pictures have two sentences that can be compared; a few hundred are looked at."""

    pictures: int  # with a sentence that people are sure of
    true: int  # and beside it, with one that is known to be true
    false: int  # with one that is known to be false
    open: int  # with one that is still to be judged

    @property
    def is_ready(self) -> bool:
        """Whether the text door can be offered."""
        return self.true >= LEAST

    @property
    def is_ample(self) -> bool:
        """Whether there is so much that to learn it by heart takes long."""
        return self.true >= ENOUGH


@dataclass
class Deck:
    """The sentences of a project that a process draws from: one pair of each kind a picture."""

    true: list[Pair] = field(default_factory=list)  # known to be true
    false: list[Pair] = field(default_factory=list)
    open: list[Pair] = field(default_factory=list)
    pictures: int = 0
    overlap: Overlap = field(default_factory=lambda: Overlap(()))
    until: float = 0.0  # by the monotonic clock
    _drawn: Counter[int] = field(default_factory=Counter)

    @property
    def readiness(self) -> Readiness:
        return Readiness(self.pictures, *map(len, (self.true, self.false, self.open)))

    def hand_out(self, pair: Pair) -> None:
        """Count an open caption that is asked; from the third time on it waits for another deck."""
        self._drawn[pair.asked.question] += 1
        if self._drawn[pair.asked.question] >= HANDED_OUT:
            self.open = [each for each in self.open if each is not pair]


_decks = Kept[Deck]()


def deck(project: Project) -> Deck:
    """Return the deck of a project, up to `SECONDS` old or so."""
    return _decks.get(project.pk, lambda: read(project))


def forget() -> None:
    """Forget all decks."""
    _decks.forget()


def read(project: Project, most: int = READ) -> Deck:
    """Read a deck from a random point of the project's captions on.

    most: captions of each state that are looked at, on each side of that point.
    """
    values = {"project": project.pk, "point": random.random(), "most": most}
    tiles = [tile for (tile,) in prepared.fetch(_TILES, values)]
    by_tile: dict[int, list[Sentence]] = defaultdict(list)
    parameters = reservations.parameters(project, now=timezone.now())
    for question, tile, *rest in prepared.fetch(_CAPTIONS, parameters | {"tiles": tiles}):
        by_tile[tile].append(Sentence(question, *rest))
    by_tile = {
        tile: sentences
        for tile, sentences in by_tile.items()
        if any(each.is_reference for each in sentences)
    }
    deck = Deck(pictures=len(by_tile), until=time.monotonic() + SECONDS * random.uniform(0.8, 1.2))
    deck.overlap = Overlap(each.text for sentences in by_tile.values() for each in sentences)
    for tile, (family, things) in texts.shown(list(by_tile)).items():
        sentences = by_tile[tile]
        own = tuple(each.text for each in sentences)
        reference = min((s for s in sentences if s.is_reference), key=lambda each: each.key)
        for pairs, some in zip((deck.true, deck.false, deck.open), _sorted(sentences), strict=True):
            asked = _most_alike(deck.overlap, reference, some)
            if asked is not None:
                pairs.append(Pair(tile, family, things, reference, asked, own))
    return deck


def _sorted(sentences: Collection[Sentence]) -> tuple[list[Sentence], ...]:
    """Return those that are known to be true, known to be false, and open."""
    asked = [each for each in sentences if each.reason]
    true = [each for each in asked if each.known > 0.5]
    false = [each for each in asked if UNKNOWN < each.known <= 0.5]
    return true, false, [each for each in asked if each.known == UNKNOWN]


def _most_alike(
    overlap: Overlap, reference: Sentence, sentences: Collection[Sentence]
) -> Sentence | None:
    """Return the one that has most words in common with the reference, which it is not itself."""
    others = [each for each in sentences if each.question != reference.question]
    if len(others) < 2:
        return next(iter(others), None)
    return max(others, key=lambda each: overlap.of(reference.text, each.text))
