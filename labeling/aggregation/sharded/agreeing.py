"""How far annotators agree, over shards: from sums, as far as there are too many kinds of tasks."""

import numpy as np

from labeling.aggregation.agreement import (
    GROUPS,
    Agreement,
    Dealt,
    agreement_of_groups,
    agreement_of_votes,
    kinds,
)
from labeling.aggregation.sharded import passes, stored
from labeling.aggregation.sharded.kept import State
from labeling.aggregation.sharded.work import Work


def agreement(work: Work, state: State) -> Agreement:
    """Return the nominal agreement over all tasks."""
    votes = state.crowd.totals.votes
    given = votes > 0
    names = [name for name, here in zip(state.meaning.classes, given.tolist(), strict=True) if here]
    places = [work.place / shard.name / passes.DEALT for shard in state.shards]
    found = work.over(state.shards, passes.agreeing)
    total = sum((stored.load(place) for place in places), Dealt.nothing(len(votes)))
    for place in places:
        place.unlink()
    of_kinds = [each for each in found if each is not None]
    if len(of_kinds) == len(found):
        rows, times = kinds(*map(np.concatenate, zip(*of_kinds, strict=True)))
        if len(rows) <= GROUPS:
            return agreement_of_votes(rows[:, given], times, classes=names)
    groups = Dealt(total.totals[:, given], total.differing, total.tasks)
    return agreement_of_groups(groups, classes=names, prevalence=votes[given])
