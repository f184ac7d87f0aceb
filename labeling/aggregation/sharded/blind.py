"""What is inferred of gold by a crowd that did not know it: as `cross_fit` does, over shards.

One fold is inferred after the other, so memory stays that of one inference.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from labeling.aggregation.answers import Floats, Ints
from labeling.aggregation.cross_fit import FOLDS, ROUNDS
from labeling.aggregation.dawid_skene import ODD
from labeling.aggregation.em import Crowd, Totals
from labeling.aggregation.gold import fit, log_score
from labeling.aggregation.sharded import passes
from labeling.aggregation.sharded.kept import Say, Shard
from labeling.aggregation.sharded.work import Work


def blind_posteriors(
    work: Work, shards: Sequence[Shard], totals: Totals, say: Say
) -> tuple[Floats, Ints]:
    """Return (G, K) what is inferred of tasks with gold without that of their fold, and (G,) gold.

    work: with everything.
    """
    count = min(FOLDS, sum(len(shard.truth) for shard in shards))
    say("Judging labels by their gold: inferring without any.")
    start = Crowd(totals)
    Work(work.place, work.pool, frozenset(range(FOLDS))).fit(start, shards, by_gold=False)
    found: list[_Fold] = []
    for number in range(count):
        say(f"Judging labels by their gold: {number + 1} of {count}.")
        found.append(_inferred(Work(work.place, work.pool, frozenset([number])), shards, start))
    for shard in shards:
        (work.place / shard.name / passes.BLIND_SUMS).unlink(missing_ok=True)
    blind = np.concatenate([each.blind for each in found])
    return blind, np.concatenate([each.truth for each in found])


@dataclass(frozen=True)
class _Fold:
    """What is said of its tasks, and how likely the other gold is."""

    blind: Floats  # (n, K)
    truth: Ints  # (n,)
    score: float
    oddness: float


def _inferred(work: Work, shards: Sequence[Shard], start: Crowd) -> _Fold:
    """Return what is said of the hidden fold. start: the crowd that knows no gold."""
    crowd = deepcopy(start)
    for _ in range(ROUNDS):
        crowd.update(work.expected(crowd, shards))
    found = _judged(work, shards, crowd)
    if found.oddness < ODD:
        return found
    crowd = Crowd(start.totals)
    work.fit(crowd, shards, by_gold=True)
    by_gold = _judged(work, shards, crowd)
    return by_gold if by_gold.score > found.score else found


def _judged(work: Work, shards: Sequence[Shard], crowd: Crowd) -> _Fold:
    work.keep(crowd)
    correlation = work.excess(shards).correlation
    judged: list[passes.Judged] = work.over(shards, passes.held_out, correlation)
    posteriors, truth, blind, blind_truth = (
        np.concatenate([getattr(each, name) for each in judged])
        for name in ("posteriors", "truth", "blind", "blind_truth")
    )
    calibration = fit(posteriors, truth, crowd.totals.votes)
    score, oddness = log_score(posteriors, truth) if len(truth) else (0.0, 0.0)
    return _Fold(calibration.apply(blind), blind_truth, score, oddness)
