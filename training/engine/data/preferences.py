"""Pairs of drawings of the same prompt, of which people say that one shows it and one does not.

It imports no torch: the web process counts pairs before a run is asked for.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.engine.data.rows import Row

LEAST = 0.5  # the probability that the one shows the prompt and the other does not, at least
PAIRS_MAX = 32  # of a prompt, the surest ones
ENOUGH = 50  # pairs without a common drawing, from which on preferences are learnt


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _nothing() -> NDArray[np.float64]:
    return np.zeros(0)


@dataclass(frozen=True)
class Preferences:
    """Pairs (p,) of n judged drawings; ``count`` is how many of them share no drawing.

    ``certainty`` is the probability that the better one shows the prompt and the worse does not,
    ``reverse`` that it is the other way round; ``weights`` say how often a pair is drawn: those of
    each prompt sum to one.
    """

    better: NDArray[np.int64] = field(default_factory=_none)
    worse: NDArray[np.int64] = field(default_factory=_none)
    certainty: NDArray[np.float64] = field(default_factory=_nothing)
    reverse: NDArray[np.float64] = field(default_factory=_nothing)
    weights: NDArray[np.float64] = field(default_factory=_nothing)
    count: int = 0

    @property
    def enough(self) -> bool:
        """Whether there are enough to learn what people prefer."""
        return self.count >= ENOUGH


def find_preferences(prompts: Sequence[str], shows: Sequence[float]) -> Preferences:
    """Return the pairs among n drawings, by their prompts and P(a drawing shows its own)."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        groups[" ".join(prompt.lower().split())].append(index)
    probability = np.asarray(shows, np.float64)
    parts = [_of_prompt(np.array(group), probability) for group in groups.values()]
    found = [part for part in parts if part.count]
    if not found:
        return Preferences()
    columns = ("better", "worse", "certainty", "reverse", "weights")
    joined = {name: np.concatenate([getattr(part, name) for part in found]) for name in columns}
    return Preferences(**joined, count=sum(part.count for part in found))


def preferences_of(rows: Sequence[Row]) -> Preferences:
    """Return the pairs among judged drawings."""
    return find_preferences([row.prompt for row in rows], [row.shows_prompt or 0 for row in rows])


def _of_prompt(group: NDArray[np.int64], shows: NDArray[np.float64]) -> Preferences:
    """Return the pairs of one prompt's drawings, whose numbers are ``group`` (m,)."""
    p = shows[group]
    certainty = p[:, None] * (1 - p)  # (m, m): the first shows the prompt, the second does not
    first, second = np.nonzero(certainty >= LEAST)
    if not len(first):
        return Preferences()
    order = np.argsort(-certainty[first, second], kind="stable")[:PAIRS_MAX]
    count = min(len(np.unique(first)), len(np.unique(second)))
    first, second = first[order], second[order]
    return Preferences(
        better=group[first],
        worse=group[second],
        certainty=certainty[first, second],
        reverse=certainty[second, first],
        weights=np.full(len(order), 1 / len(order)),
        count=count,
    )
