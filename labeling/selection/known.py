"""Known questions: how many of a challenge, and which: gold, or checks where gold is worn.

Everybody is shown the same mixture, whoever they are and whatever was found out about them.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from labeling import checks
from labeling.selection.candidates import Candidate
from labeling.selection.picks import Reason

# Chances of so many known tiles in a grid of nine: three in the mean.
GRID_KNOWN = {1: 0.1, 2: 0.25, 3: 0.3, 4: 0.25, 5: 0.1}
MEAN_KNOWN = 3
LIFETIME = 60  # answers to a gold question; from then on it is shown the less, the more it has

YES, NO, CHECK_YES, CHECK_NO = "yes", "no", "check-yes", "check-no"  # roles of windows
REASONS: dict[str, str] = {
    YES: Reason.GOLD,
    NO: Reason.GOLD,
    CHECK_YES: Reason.CHECK,
    CHECK_NO: Reason.CHECK,
}


class Wanted(NamedTuple):
    """How many known tiles of each truth a grid is to show."""

    yes: int
    no: int


def draw(*, likely_share: float) -> Wanted:
    """Draw how many known tiles a grid shows, of each truth.

    likely_share: of the grid's open tiles, those that are more likely true than not; the known ones
    resemble them, so that what a tile shows does not tell. With two tiles or more, one of each is
    among them: whoever answers all with yes, or with no, is wrong somewhere.
    """
    (total,) = random.choices(list(GRID_KNOWN), list(GRID_KNOWN.values()))
    if total == 1:
        yes = int(random.random() < max(likely_share, 1 / MEAN_KNOWN))
        return Wanted(yes, 1 - yes)
    yes = 1 + sum(random.random() < likely_share for _ in range(total - 2))
    return Wanted(yes, total - yes)


def in_order(pool: Sequence[Candidate], verdict: bool) -> list[Candidate]:
    """Return the known candidates of a truth: rested gold, then checks, then worn gold.

    Gold that many people have answered in its lifetime is worn in inverse proportion: whoever
    comes from many addresses would see the same few pictures everywhere.
    """
    gold, check = (YES, CHECK_YES) if verdict else (NO, CHECK_NO)
    rested: list[Candidate] = []
    worn: list[Candidate] = []
    for candidate in pool:
        if candidate.role == gold:
            is_rested = random.random() * candidate.answers_count < LIFETIME
            (rested if is_rested else worn).append(candidate)
    unrevealed = [c for c in pool if c.role == check and not checks.is_told(c.question)]
    return [*rested, *unrevealed, *worn]


def count_rested(pool: Sequence[Candidate], verdict: bool) -> int:
    """Return how much gold of a truth there is that few people have answered."""
    role = YES if verdict else NO
    return sum(c.role == role and c.answers_count < LIFETIME for c in pool)
