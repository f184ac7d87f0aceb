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
LATER_YES, LATER_NO = "later-yes", "later-no"  # of gold whose turn it is not
REASONS: dict[str, str] = {
    YES: Reason.GOLD,
    NO: Reason.GOLD,
    LATER_YES: Reason.GOLD,
    LATER_NO: Reason.GOLD,
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
    """Return the known candidates of a truth in the order in which they are shown.

    1. gold whose turn it is at the annotator's address, as far as it is rested. What many people
       have answered in its lifetime is worn in inverse proportion: whoever comes from many
       addresses would see the same few pictures everywhere.
    2. checks
    3. worn gold, and gold whose turn it is not
    """
    own_roles = (YES, CHECK_YES, LATER_YES) if verdict else (NO, CHECK_NO, LATER_NO)
    gold, checked, later = ([c for c in pool if c.role == role] for role in own_roles)
    rested = [c for c in gold if random.random() * c.answers_count < LIFETIME]
    worn = [c for c in gold if c not in rested]
    checked = [c for c in checked if not checks.is_told(c.question)]
    random.shuffle(later)
    questions = dict.fromkeys(c.question for c in rested)
    return [*rested, *checked, *worn, *(c for c in later if c.question not in questions)]
