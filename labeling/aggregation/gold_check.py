"""Whether gold and answers speak of the same tasks and classes, by how far they agree."""

import numpy as np

from labeling.aggregation.answers import Floats, Ints

LEAST = 5  # tasks with gold below which nothing is said
DEVIATIONS = 3.0  # standard errors below chance from which gold is doubted


class GoldWarning(UserWarning):
    """Gold contradicts the answers more often than chance would."""


def right(votes: Floats, gold: Ints) -> Floats:
    """Return (G,) the share of the answers to each task with gold that are right.

    votes: (T, K) weight of the answers by task and class; gold: (T,) the class, or -1.
    """
    tasks = np.flatnonzero(gold >= 0)
    found: Floats = votes[tasks, gold[tasks]] / votes[tasks].sum(1)
    return found


def doubt(right: Floats, gold: Ints, votes: Floats) -> str:
    """Return a sentence where gold contradicts the answers more than chance would, else nothing.

    right: (G,) share of the answers that are right, of each task with gold; gold: (G,) its class;
    votes: (K,) weight of all answers by class.

    By chance as many answers to a task are right as its class has of all answers. Liars who are the
    majority look like this, too; so it is no more than a question.
    """
    if len(gold) < LEAST:
        return ""
    wrong = f"{1 - right.mean():.0%} of the answers to their tasks"
    popularity = votes[gold] / votes.sum()
    unknown = int((popularity == 0).sum())
    if 2 * unknown > len(gold):
        return (
            f"{unknown} of {len(gold)} gold labels are classes that nobody answered: are they in "
            "the same words as the answers?"
        )
    beyond = right - popularity
    error = beyond.std(ddof=1) / np.sqrt(len(gold))
    if beyond.mean() + DEVIATIONS * error >= 0:
        return ""
    return (
        f"{len(gold)} gold labels contradict {wrong}, more than chance would: are their classes "
        "in the same words, and are these the same tasks?"
    )
