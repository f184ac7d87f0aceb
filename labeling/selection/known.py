"""Known questions: how many of a challenge, and which: gold, or checks where gold is worn.

Everybody is shown the same mixture, whoever they are and whatever was found out about them.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from django.core.cache import cache

from labeling import checks, showings
from labeling.images import visible
from labeling.models import Concept, Image, Project
from labeling.selection import candidates
from labeling.selection.candidates import Candidate
from labeling.selection.picks import GRID_TILES, Reason
from labeling.showings import Showings

MEAN_KNOWN = 3  # known tiles of a grid of nine, where there are enough
LARGEST_SHARE = MEAN_KNOWN / GRID_TILES
STOCK_SECONDS = 600  # for which the numbers of known questions are remembered
PICTURES_SECONDS = 600  # … and the number of a project's pictures
TRUTH_PRIOR = 10  # open tiles as which a grid's own count for how many are true
LEAST_SHARE = 0.1  # of either truth
INSTEAD = 0.1  # share of known tiles of which there is none of the wanted truth: then of the other
EDGE = 1e-9  # least weight
LIFETIME = 60  # answers to a gold question; from then on it is shown the less, the more it has

YES, NO, CHECK_YES, CHECK_NO = "yes", "no", "check-yes", "check-no"  # roles of windows
REASONS: dict[str, str] = {
    YES: Reason.GOLD,
    NO: Reason.GOLD,
    CHECK_YES: Reason.CHECK,
    CHECK_NO: Reason.CHECK,
}


class Stock(NamedTuple):
    """How many known questions about whole pictures a concept has, for an address that came now."""

    gold: int
    checks: int
    tiles: int  # that it can be shown on a day

    @property
    def share(self) -> float:
        """The share of known ones among those that are shown.

        It is the same from an address's first challenge of the day to its last, and as high as what
        is known lasts for: a third at most.
        """
        return min((self.gold + self.checks) / max(self.tiles, 1), LARGEST_SHARE)


CAPTIONS = Stock(1, 1, 8)  # of captions that are verified one in four is known


def stock(concept: int, project: Project, at: Showings) -> Stock:
    """Return the stock of a concept's known questions, remembered for a while."""
    before = at.since.replace(minute=at.since.minute // 10 * 10, second=0, microsecond=0)
    key = f"known:{concept}:{before:%d-%H-%M}"
    counts: list[int] | None = cache.get(key)
    if counts is None:
        tiles = tiles_a_day(project)
        counts = [*candidates.count_known(concept, before=before, most=tiles), tiles]
        cache.set(key, counts, STOCK_SECONDS)
    return Stock(*counts)


def tiles_a_day(project: Project) -> int:
    """Return how many tiles an address can be shown for one concept of a project on a day.

    It is its part of all that a day may hold; in a small project, each picture once.
    """
    key = f"tiles-a-day:{project.pk}"
    tiles: int | None = cache.get(key)
    if tiles is None:
        concepts = max(Concept.objects.filter(project=project, active=True).count(), 1)
        most = max(showings.MOST_TILES // concepts, 1)
        pictures = Image.objects.filter(visible(), project=project)
        tiles = pictures.order_by()[:most].count()
        cache.set(key, tiles, PICTURES_SECONDS)
    return tiles


def count(places: int, share: float) -> int:
    """Return how many of so many places show a known question, drawn for each place alone."""
    return sum(random.random() < share for _ in range(places))


def choose(
    pool: Sequence[Candidate], total: int, *, at: Showings, true_share: float, of: Stock
) -> list[Candidate]:
    """Return so many known candidates, of which as many are true as of the open ones shown.

    But at least a tenth is true, and a tenth not: else whoever answers all alike would be right.
    Where the truth whose turn it is has no candidate, the choice ends as a rule: else what there is
    more of would be shown more.
    """
    share = _bounded((at.truths + TRUTH_PRIOR * true_share) / (at.firsts + TRUTH_PRIOR))
    left = {truth: in_order(pool, truth, of) for truth in (True, False)}
    count, yes, chosen = at.known, at.known_truths, list[Candidate]()
    for _ in range(total):
        truth = random.random() < share * (count + 1) - yes
        if not left[truth] and random.random() < INSTEAD:
            truth = not truth
        if not left[truth]:
            break
        chosen.append(left[truth].pop(0))
        count, yes = count + 1, yes + truth
    return chosen


def draw_truth(probability: float) -> bool:
    """Draw whether a known question is true that stands for an open one believed so far."""
    return random.random() < _bounded(probability)


def _bounded(share: float) -> float:
    return min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)


def in_order(pool: Sequence[Candidate], verdict: bool, of: Stock) -> list[Candidate]:
    """Return the known candidates of a truth in the order in which they are shown.

    1. what the address was shown before, and is to be shown again
    2. gold, as far as it is rested, and checks, in the proportion in which there are any. What many
       people have answered in its lifetime is worn in inverse proportion: whoever comes from many
       addresses would see the same few pictures everywhere.
    3. worn gold
    """
    gold_role, check_role = (YES, CHECK_YES) if verdict else (NO, CHECK_NO)
    again = [c for c in pool if c.again and c.role in {gold_role, check_role}]
    gold = [c for c in pool if c.role == gold_role and not c.again]
    checked = [c for c in pool if c.role == check_role and not c.again]
    rested = [c for c in gold if random.random() * c.answers_count < LIFETIME]
    unrevealed = [c for c in checked if not checks.is_revealed(c.question)]
    weight = {gold_role: of.gold / max(len(gold), 1), check_role: of.checks / max(len(checked), 1)}
    # The k-th of a weighted order: P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling
    # with a reservoir", Information Processing Letters 97 (2006).
    mixed = sorted(
        [*rested, *unrevealed],
        key=lambda c: random.random() ** (1 / max(weight[c.role], EDGE)),
        reverse=True,
    )
    return [*again, *mixed, *(c for c in gold if c not in rested)]
