"""Known questions: how many of a challenge, and which: gold, or checks where gold is worn.

Everybody is shown the same mixture, whoever they are and whatever was found out about them.
"""

import random
from collections.abc import Sequence

from labeling import checks
from labeling.selection.candidates import Candidate
from labeling.selection.picks import Reason
from labeling.showings import Showings

# Chances of so many known tiles in a grid of nine: three in the mean.
GRID_KNOWN = {1: 0.1, 2: 0.25, 3: 0.3, 4: 0.25, 5: 0.1}
MEAN_KNOWN = 3
TRUTH_PRIOR = 10  # open tiles as which a grid's own count for how many are true
LEAST_SHARE = 0.1  # of either truth
INSTEAD = 0.1  # share of known tiles of which there is none of the wanted truth: then of the other
PROOF = 6  # answers to known questions, before which somebody is a newcomer
LIFETIME = 60  # answers to a gold question; from then on it is shown the less, the more it has

YES, NO, CHECK_YES, CHECK_NO = "yes", "no", "check-yes", "check-no"  # roles of windows
REASONS: dict[str, str] = {
    YES: Reason.GOLD,
    NO: Reason.GOLD,
    CHECK_YES: Reason.CHECK,
    CHECK_NO: Reason.CHECK,
}


def grid(pool: Sequence[Candidate], *, at: Showings, true_share: float) -> list[Candidate]:
    """Return the known tiles of a grid, fewer than it would show where less is at hand.

    at: what the annotator's address was shown today. true_share: the expected share of true ones
    among the grid's open tiles.
    """
    (total,) = random.choices(list(GRID_KNOWN), list(GRID_KNOWN.values()))
    return choose(pool, total, at=at, true_share=true_share)


def choose(
    pool: Sequence[Candidate], total: int, *, at: Showings, true_share: float
) -> list[Candidate]:
    """Return so many known candidates, of which as many are true as of the open ones shown.

    But at least a tenth is true, and a tenth not: else whoever answers all alike would be right. A
    newcomer, who waits for no turns, is shown as many of either truth, to prove both.
    Where the truth whose turn it is has no candidate, the choice ends as a rule: else what there is
    more of would be shown more.
    """
    share = (at.truths + TRUTH_PRIOR * true_share) / (at.firsts + TRUTH_PRIOR)
    share = min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)
    left = {truth: in_order(pool, truth) for truth in (True, False)}
    count, yes, chosen = at.known, at.known_truths, list[Candidate]()
    if not at.waits:
        share, count, yes = 0.5, 0, 0
    for _ in range(total):
        truth = random.random() < share * (count + 1) - yes
        if not left[truth] and random.random() < INSTEAD:
            truth = not truth
        if not left[truth]:
            break
        chosen.append(left[truth].pop(0))
        count, yes = count + 1, yes + truth
    return chosen


def in_order(pool: Sequence[Candidate], verdict: bool) -> list[Candidate]:
    """Return the known candidates of a truth in the order in which they are shown.

    1. gold, as far as it is rested. What many people have answered in its lifetime is worn in
       inverse proportion: whoever comes from many addresses would see the same few pictures
       everywhere.
    2. checks
    3. worn gold
    """
    gold_role, check_role = (YES, CHECK_YES) if verdict else (NO, CHECK_NO)
    gold = [c for c in pool if c.role == gold_role]
    checked = [c for c in pool if c.role == check_role and not checks.is_revealed(c.question)]
    rested = [c for c in gold if random.random() * c.answers_count < LIFETIME]
    return [*rested, *checked, *(c for c in gold if c not in rested)]
