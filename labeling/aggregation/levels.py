"""Levels of ability, whose tables are shared by annotators of few answers.

An annotator's own table says more of them than their ability does once it rests on several answers
in each row. With fewer it hardly differs from the crowd's at that ability (`confusion`). So where
tables of all annotators are too many, those with the fewest answers are given that of the level
next to their ability, and move to another one as that is learned: what an iteration costs grows
with the answers, however many annotators gave them.

W annotators, K classes and M tables: those of single annotators, then the levels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit  # type: ignore[import-untyped]

from labeling.aggregation.answers import Floats

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CELLS = 2 * 10**6  # of confusion matrices; up to these everybody has their own
LEAST = 3  # answers for each class, on average, from which annotators may still have their own
ABILITIES = expit(np.linspace(logit(0.02), logit(0.995), 64))  # of the levels
EDGES = expit((logit(ABILITIES[1:]) + logit(ABILITIES[:-1])) / 2)


@dataclass
class Places:
    """Which table each annotator has at the moment."""

    of: Ints  # (W,) below M
    own: int  # tables of single annotators
    shared: Bools  # (W,) who shares the table of a level

    @property
    def tables(self) -> int:
        """How many tables there are."""
        return self.own + len(ABILITIES) * bool(self.shared.any())

    def move(self, ability: Floats) -> None:
        """Give those who share tables, whose abilities these are, the levels next to them."""
        self.of[self.shared] = self.own + level(ability)


def level(ability: Floats) -> Ints:
    """Return the levels next to abilities, from 0."""
    return np.searchsorted(EDGES, ability).astype(np.int64)


def places(counts: Ints, classes: int) -> Places:
    """Return the tables to begin with: own ones as far as there is room.

    counts: (W,) how many answers each annotator gave.
    """
    workers = len(counts)
    room = CELLS // classes**2
    if workers <= room + len(ABILITIES):  # nothing would be saved by sharing
        return Places(np.arange(workers), workers, np.zeros(workers, bool))
    bar = max(LEAST * classes, int(np.partition(counts, -room - 1)[-room - 1]) + 1 if room else 0)
    shared = counts < bar if room else np.ones(workers, bool)
    own = int((~shared).sum())
    of = np.empty(workers, np.int64)
    of[~shared] = np.arange(own)
    of[shared] = own + len(ABILITIES) // 2
    return Places(of, own, shared)
