"""Concept priorities: which concept to ask about first."""

import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from django.core.cache import cache
from django.db import connection

from labeling import pools
from labeling.models import Project, Tile

PRIORITY_SECONDS = 15  # for which the priorities are remembered
NEW_MINUTES = 10  # for which a concept that nobody has answered about comes first, once
MAX_NEW = 50  # that come first before the priorities are read again
TOP_QUESTIONS = 50  # per concept, whose priorities are summed
FLOOR = 1e-3  # weight of a concept whose open questions are all certain, or worth nothing

T = TypeVar("T")

_PRIORITIES = """
SELECT concept.id,
    coalesce(greatest(top.priority, 0), concept.prevalence * concept.value * %(top)s) + %(floor)s,
    coalesce(pool.frontier >= 1, false),
    CASE WHEN pool.fillings <= 1 AND top.answers = 0
            AND pool.filled_at > now() - interval '1 minute' * %(minutes)s
        THEN extract(epoch FROM pool.filled_at)::float8 END
FROM labeling_concept AS concept
LEFT JOIN labeling_pool AS pool ON pool.concept_id = concept.id AND pool.grid = %(grid)s
CROSS JOIN LATERAL (
    SELECT sum(priority) AS priority, sum(answers_count) AS answers FROM (
        SELECT priority, answers_count FROM labeling_question
        WHERE concept_id = concept.id AND grid = %(grid)s
            AND kind = 'concept' AND state = 'open' AND source <> 'model'
        ORDER BY priority DESC LIMIT %(top)s
    ) AS highest
) AS top
WHERE concept.project_id = %(project)s AND concept.active AND concept.merged_into_id IS NULL
    AND (top.priority IS NOT NULL OR %(pictures)s AND coalesce(pool.frontier < 1, true))
"""


class Askable(NamedTuple):
    """A concept that may be asked about."""

    concept: int
    weight: float  # above 0
    exhausted: bool  # all its pairs are stored: its pool cannot be filled any more
    new_since: float | None  # time, while it is new and nobody has answered about it
    grid: int = 1  # of the tiles that it may be asked about


def by_priority(project: Project, grid: int) -> Iterator[Askable]:
    """Yield active concepts that may be asked about on tiles of that grid, in a random order.

    Of wholes, a concept comes again for the boxes that imports drew, if there are any to ask about.
    A concept's weight is the sum of the highest priorities of its open questions. One without any
    whose pool can be filled is weighed by its prevalence. One that was added lately comes first,
    before one person.
    """
    key, new_key = pools.priorities_key(project.pk, grid), f"new-concepts:{project.pk}:{grid}"
    remembered = cache.get_many([key, new_key])
    askable = [Askable(*row) for row in remembered.get(key, [])]
    new = remembered.get(new_key, [])
    if not askable:
        askable = _read(project, grid)
        if grid == 1:
            askable += [each._replace(exhausted=True) for each in _read(project, Tile.BOX)]
        new = sorted((a.new_since, a.concept) for a in askable if a.new_since is not None)
        new = new[-MAX_NEW:]
        cache.set(key, askable, PRIORITY_SECONDS)
    weights = {each: each.weight for each in askable}
    first = next((each for each in askable if new and each.concept == new[-1][1]), None)
    if new:
        cache.set(new_key, new[:-1], PRIORITY_SECONDS)
    if first is None and askable:
        (first,) = random.choices(askable, list(weights.values()))
    if first is not None:  # as a rule no more than one is wanted
        yield first
        del weights[first]
        yield from weighted_shuffle(weights)


def _read(project: Project, grid: int) -> list[Askable]:
    """Return what may be asked about, by a bounded read of the index."""
    values = {
        "project": project.pk,
        "grid": grid,
        "pictures": grid != Tile.BOX and pools.has_pictures(project, grid),
        "top": TOP_QUESTIONS,
        "minutes": NEW_MINUTES,
        "floor": FLOOR,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PRIORITIES, values)
        return [Askable(*row)._replace(grid=grid) for row in cursor.fetchall()]


def weighted_shuffle(weights: Mapping[T, float]) -> list[T]:
    """Return the keys in a random order in which those of larger weight tend to come first.

    P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a reservoir", Information
    Processing Letters 97 (2006). Weights are above 0.
    """
    return sorted(weights, key=lambda key: random.random() ** (1 / weights[key]), reverse=True)
