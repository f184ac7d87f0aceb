"""Passes over shards, and EM by them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeling.aggregation.dawid_skene import ITERATIONS
from labeling.aggregation.design_effect import Excess
from labeling.aggregation.em import Crowd, Sums
from labeling.aggregation.sharded import passes, stored
from labeling.aggregation.sharded.kept import Shard
from labeling.aggregation.sharded.passes import View
from labeling.aggregation.sharded.pool import Pool

CROWD, BLIND_CROWD = "crowd", "blind-crowd"  # files of the work folder


class Work:
    """What is done with shards as a crowd explains them, without the gold of hidden folds."""

    def __init__(self, place: Path, pool: Pool, hidden: frozenset[int] = frozenset()) -> None:
        self.place, self.pool = place, pool
        self.view = View(place / (BLIND_CROWD if hidden else CROWD), hidden)

    def keep(self, crowd: Crowd) -> None:
        """Let passes see shards by this crowd."""
        stored.save(self.view.crowd, crowd)

    def over(self, shards: Sequence[Shard], work: Callable[..., Any], *more: Any) -> list[Any]:
        """Return what a pass says of each shard."""
        return self.pool.map(
            work, [(self.place / shard.name, self.view, *more) for shard in shards]
        )

    def sums(self, crowd: Crowd, shards: Sequence[Shard]) -> Sums:
        """Return what the last pass kept, summed."""
        total = crowd.no_sums()
        if crowd.places.shared.any():
            total.right, total.total = np.zeros((2, len(crowd.totals.answers)))
        for shard in shards:
            passes.add_sums(self.place / shard.name, self.view.sums, crowd, total)
        return total

    def expected(self, crowd: Crowd, shards: Sequence[Shard]) -> Sums:
        """Return what is expected of all shards by the crowd."""
        self.keep(crowd)
        self.over(shards, passes.sums)
        return self.sums(crowd, shards)

    def fit(
        self,
        crowd: Crowd,
        shards: Sequence[Shard],
        *,
        by_gold: bool,
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        """Learn from the beginning: EM. The crowd is kept for further passes.

        begin: called before each iteration.
        """
        self.keep(crowd)
        self.over(shards, passes.first_sums, by_gold)

        def expected() -> Sums:
            begin()
            return self.expected(crowd, shards)

        crowd.fit(self.sums(crowd, shards), expected, ITERATIONS)
        self.keep(crowd)

    def excess(self, shards: Sequence[Shard]) -> Excess:
        """Return how far annotators err together."""
        return sum(self.over(shards, passes.errors), Excess())
