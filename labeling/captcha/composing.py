"""Which tiles the grid door shows: most of known truth, some of which more is wanted.

Both rounds of an attempt are drawn at once, about one concept, from pictures that differ and that
were not shown at the visitor's address before. How many are known, and how many of those are true,
varies: so neither a count nor a place on the screen tells anything.
"""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from labeling.captcha import decks
from labeling.captcha.decks import Card, Deck
from labeling.models import Project

TILES = 16  # of a round
COLUMNS = 4
ROUNDS = 2
KNOWN = 13, 14  # known tiles of a round, at least and at most
TRUE = 5, 8  # … of which show it: near one half, where guesses are worth least
TRIES = 4  # concepts that are tried


@dataclass(frozen=True)
class Rounds:
    """What an attempt asks through the grid: the cards of both rounds."""

    concept: int
    cards: list[Card]
    first_round: int = TILES


def compose(project: Project, *, exclude: Collection[int] = ()) -> Rounds | None:
    """Return two rounds about one concept; None where too little is known.

    exclude: ids of tiles that were shown at the visitor's address before. Where too few others are
    left, they are shown again, known and open ones alike.
    """
    if not decks.may_be_asked(project):
        return None
    values = dict(decks.ready(project))
    for _ in range(min(TRIES, len(values))):
        (concept,) = random.choices(list(values), weights=[max(v, 0.01) for v in values.values()])
        deck = decks.deck(project, concept)
        cards = _draw(deck, frozenset(exclude)) or _draw(deck, frozenset())
        if cards:
            return Rounds(concept, cards)
        del values[concept]
    return None


def _draw(deck: Deck, exclude: Collection[int]) -> list[Card] | None:
    """Draw the cards of both rounds in the order of the screen; None where the deck lacks some."""
    families: set[int] = set()
    yes, no = _shuffled(deck.yes, exclude), _shuffled(deck.no, exclude)
    at_random, wanted = _shuffled(deck.at_random, exclude), _shuffled(deck.wanted, exclude)
    cards: list[Card] = []
    for _ in range(ROUNDS):
        known = random.randint(*KNOWN)
        true = max(min(random.randint(*TRUE), len(yes)), known - len(no))
        round_ = [*_take(yes, true, families), *_take(no, known - true, families)]
        if len(round_) < known:
            return None
        drawn = sum(random.random() < 0.5 for _ in range(TILES - known))
        open_ones = _take(at_random, drawn, families)
        open_ones += _take(wanted, TILES - known - len(open_ones), families)
        for card in open_ones:
            deck.hand_out(card)
        round_ += open_ones
        rest = TILES - len(round_)  # nothing is open: then all are known
        round_ += _take(yes, random.randint(0, rest), families)
        round_ += _take(no, TILES - len(round_), families)
        if len(round_) < TILES:
            return None
        random.shuffle(round_)
        cards += round_
    return cards


def _shuffled(cards: Iterable[Card], exclude: Collection[int]) -> list[Card]:
    left = [card for card in cards if card.tile not in exclude]
    random.shuffle(left)
    return left


def _take(cards: list[Card], count: int, families: set[int]) -> list[Card]:
    """Take so many cards off the end, of pictures that are not among the families yet."""
    taken: list[Card] = []
    while len(taken) < count and cards:
        card = cards.pop()
        if card.family not in families:
            families.add(card.family)
            taken.append(card)
    return taken
