"""What annotators who turned bad had answered before: of that, known truths vouch no more.

Whoever can tell what is known is right about it for as long as they like, and lies about the rest.
How often they are right shows nothing of this until they lie about what is known, too. That gives
them away; from then on it is no evidence that they were right about it before. What others say of
the other questions tells from which answer on they were not in earnest: a change point with known
rates on both sides (D. V. Hinkley, "Inference about the change-point in a sequence of random
variables", Biometrika 57, 1970), in Bayes' way, as some of them are bad from the beginning.

Where nobody else answered, nothing tells; but those who turned bad may well have been one and the
same, so what several of them say is worth what one of them says (`discount`).
"""

import math

import numpy as np
import numpy.typing as npt

from labeling.aggregation.earnest import GOLD_ERROR, GUESSING, LYING

# The probabilities that somebody who turned bad was in earnest until then, was bad from the first
# answer on, or began to be in between. The first is above a half: without evidence, answers stand.
UNTIL_THEN, FROM_THE_FIRST, BETWEEN = 0.6, 0.3, 0.1
WAYS = GUESSING, LYING  # how others answer; who says yes or no to everything shows by what is known

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


def first_bad(
    annotator: Index, value: Bools, yes: Floats, accuracy: Floats, *, annotators: int
) -> dict[int, int]:
    """Return by annotator the index of the first answer that was probably not in earnest.

    annotator, value, yes: (N,) the answers to questions of unknown truth before somebody turned
        bad, in order of time: whose (below `annotators`), what, and the probability of yes by what
        others say who never turned.
    accuracy: (annotators,) the chance of a right answer in earnest.

    Whoever was in earnest until they turned is left out; so is who gave no such answers.
    """
    truth = yes.clip(GOLD_ERROR, 1 - GOLD_ERROR)
    right = accuracy[annotator]
    earnest = _log_likelihood(value, truth, right, right)
    found = {}
    order = np.argsort(annotator, kind="stable")
    ends = np.cumsum(np.bincount(annotator, minlength=annotators))
    for who in np.unique(annotator).tolist():
        own = order[ends[who - 1] if who else 0 : ends[who]]
        others = [_log_likelihood(value[own], truth[own], *way) for way in WAYS]
        first = _first([each - earnest[own] for each in others])
        if first is not None:
            found[who] = int(own[first])
    return found


def discount(question: Index, value: Bools, turned: Bools) -> Floats:
    """Return (N,) what each answer weighs beside others that say the same.

    turned: (N,) whether it is of an annotator who turned bad, from before that: all such answers
    that say the same of a question weigh 1 together. Others weigh 1 each.
    """
    alike = 2 * question + value
    together = np.bincount(alike, turned).clip(1)
    weights: Floats = np.where(turned, 1 / together[alike], 1.0)
    return weights


def _first(ratios: list[Floats]) -> int | None:
    """Return the first of one annotator's n answers that is more probably bad than not.

    ratios: (n,) of each other way to answer, its log-likelihood less that of "in earnest".
    """
    size = len(ratios[0])
    prior = np.full(size, math.log(BETWEEN / size / len(WAYS)))
    prior[0] = math.log((FROM_THE_FIRST + BETWEEN / size) / len(WAYS))
    # (ways, n) of each answer as the first bad one, against none
    odds = np.array([prior + np.cumsum(each[::-1])[::-1] for each in ratios]) - math.log(UNTIL_THEN)
    largest = max(float(odds.max()), 0.0)
    begun = np.cumsum(np.exp(odds - largest).sum(0))
    bad = np.flatnonzero(begun > (math.exp(-largest) + begun[-1]) / 2)
    return int(bad[0]) if len(bad) else None


def _log_likelihood(
    value: Bools, truth: Floats, sensitivity: Floats | float, specificity: Floats | float
) -> Floats:
    """Return (n,) the log-likelihood of answers where yes has the probability `truth`."""
    yes = truth * sensitivity + (1 - truth) * (1 - specificity)
    logs: Floats = np.log(np.where(value, yes, 1 - yes))
    return logs
