"""Which tiles the grid door shows: most of known truth, some of which more is wanted.

Both rounds of an attempt are drawn at once, each about a concept of its own where there are
several, from pictures that differ and that were not shown at the visitor's address before. How many
are known, and how many of those are true, varies, and the order is random: so neither a count nor a
place on the screen tells anything.
"""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from labeling.captcha import decks, passing
from labeling.captcha.decks import Card, Deck
from labeling.models import Project

_random = random.SystemRandom()  # whose draws nobody can foresee
TILES = 16  # of a round
COLUMNS = 4
ROUNDS = 2
LEAST_TRUE = 4  # known tiles that show it, below which a round tells too little
LEAST_VALUE = 0.01  # of a concept
TRIES = 4  # concepts that are tried for a round


@dataclass(frozen=True)
class Rounds:
    """What an attempt asks through the grid: the concept of each round, and the cards of both."""

    concepts: list[int]
    cards: list[Card]
    first_round: int = TILES


def compose(project: Project, *, exclude: Collection[int] = ()) -> Rounds | None:
    """Return two rounds; None where too little is known.

    exclude: ids of tiles that were shown at the visitor's address before. Where too few others are
    left, they are shown again, known and open ones alike.
    """
    if not decks.may_be_asked(project):
        return None
    values = {concept: max(value, LEAST_VALUE) for concept, value in decks.ready(project).items()}
    families: set[int] = set()
    rounds = Rounds([], [])
    for _ in range(ROUNDS):
        drawn = _compose_round(project, values, frozenset(exclude), families)
        if drawn is None:
            return None
        rounds.concepts.append(drawn[0])
        rounds.cards.extend(drawn[1])
    return rounds


def _compose_round(
    project: Project, values: dict[int, float], exclude: Collection[int], families: set[int]
) -> tuple[int, list[Card]] | None:
    """Draw a round about a concept that no round was about before, as far as there are any.

    values: what the concepts are worth, by id; that of the round is taken out unless it is the
    last one. families: the pictures that were drawn, to which its own are added.
    """
    left = dict(values)
    for _ in range(min(TRIES, len(left))):
        (concept,) = _random.choices(list(left), weights=list(left.values()))
        deck = decks.deck(project, concept)
        for hidden in (exclude, frozenset[int]()):
            if cards := _draw(deck, hidden, families):
                if len(values) > 1:
                    del values[concept]
                return concept, cards
        del left[concept]
    return None


def _draw(deck: Deck, exclude: Collection[int], before: set[int]) -> list[Card] | None:
    """Draw the cards of a round in the order of the screen; None where the deck lacks some."""
    families = set(before)
    yes, no = _shuffled(deck.yes, exclude), _shuffled(deck.no, exclude)
    at_random, wanted = _shuffled(deck.at_random, exclude), _shuffled(deck.wanted, exclude)
    known, true = passing.draw_known(_random)
    cards = _take(yes, true, families)
    cards += _take(no, known - len(cards), families)
    drawn = sum(_random.random() < 0.5 for _ in range(TILES - known))
    open_ones = _take(at_random, drawn, families)
    open_ones += _take(wanted, TILES - known - len(open_ones), families)
    rest = TILES - len(cards) - len(open_ones)  # little is open: then more are known
    cards += _take(yes, _random.randint(0, rest), families)
    cards += _take(no, TILES - len(cards) - len(open_ones), families)
    trues = sum(card.known > 0.5 for card in cards)
    if len(cards) + len(open_ones) < TILES or trues < LEAST_TRUE:
        return None
    for card in open_ones:
        deck.hand_out(card)
    before |= families
    cards += open_ones
    _random.shuffle(cards)
    return cards


def _shuffled(cards: Sequence[Card], exclude: Collection[int]) -> Iterator[Card]:
    """Yield the cards that may be shown in a random order, some of them twice.

    A share of them is drawn from those about which the project's model errs, where there are any:
    they tell people from it (`passing.AGAINST_MODEL`).
    """
    all_cards = _in_random_order(cards)
    misjudged = _in_random_order([card for card in cards if card.is_misjudged])
    for card in all_cards:
        other = next(misjudged, None) if _random.random() < passing.AGAINST_MODEL else None
        for each in (other, card):
            if each is not None and each.tile not in exclude:
                yield each


def _in_random_order(cards: Sequence[Card]) -> Iterator[Card]:
    """Yield each card once; so much as is asked for is shuffled."""
    left = list(cards)
    while left:
        place = _random.randrange(len(left))
        left[place], left[-1] = left[-1], left[place]
        yield left.pop()


def _take(cards: Iterator[Card], count: int, families: set[int]) -> list[Card]:
    """Take so many cards, of pictures that are not among the families yet."""
    taken: list[Card] = []
    while len(taken) < count and (card := next(cards, None)) is not None:
        if card.family not in families:
            families.add(card.family)
            taken.append(card)
    return taken
