"""Concept priorities: which concept to ask about first."""

import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from django.core.cache import cache
from django.db import connection

from labeling import pools
from labeling.models import Project

PRIORITY_SECONDS = 15  # for which the priorities are remembered
TOP_QUESTIONS = 50  # per concept, whose priorities are summed
NEW = 100.0  # times the priority of a concept that nobody has answered about yet
FLOOR = 1e-3  # weight of a concept whose open questions are all certain, or worth nothing

T = TypeVar("T")

# A concept is new until its pool is filled for the second time or one of its top questions has an
# answer.
_PRIORITIES = """
SELECT concept.id,
    coalesce(greatest(top.priority, 0), concept.prevalence * concept.value * %(top)s)
        * CASE WHEN coalesce(pool.fillings, 0) <= 1 AND coalesce(top.answers, 0) = 0
            THEN %(new)s ELSE 1 END
        + %(floor)s,
    coalesce(pool.frontier >= 1, false)
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
    exhausted: bool  # all its pairs are stored: its pool cannot be filled any more


def by_priority(project: Project, grid: int) -> Iterator[Askable]:
    """Yield active concepts that may be asked about on tiles of that grid, in a random order.

    A concept's weight is the sum of the highest priorities of its open questions, and more while it
    is new. One without any whose pool can be filled is weighed by its prevalence.
    """
    key = pools.priorities_key(project.pk, grid)
    priorities: list[tuple[int, float, bool]] | None = cache.get(key)
    if not priorities:
        priorities = _priorities(project, grid)
        cache.set(key, priorities, PRIORITY_SECONDS)
    weights = {Askable(pk, exhausted): weight for pk, weight, exhausted in priorities}
    if weights:  # as a rule no more than the first is asked for
        (first,) = random.choices(list(weights), list(weights.values()))
        yield first
        del weights[first]
        yield from weighted_shuffle(weights)


def _priorities(project: Project, grid: int) -> list[tuple[int, float, bool]]:
    """Return (concept, priority, exhausted) by a bounded read of the index."""
    with connection.cursor() as cursor:
        cursor.execute(
            _PRIORITIES,
            {
                "project": project.pk,
                "grid": grid,
                "pictures": pools.has_pictures(project, grid),
                "top": TOP_QUESTIONS,
                "new": NEW,
                "floor": FLOOR,
            },
        )
        return list(cursor.fetchall())


def weighted_shuffle(weights: Mapping[T, float]) -> list[T]:
    """Return the keys in a random order in which those of larger weight tend to come first.

    P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a reservoir", Information
    Processing Letters 97 (2006). Weights are above 0.
    """
    return sorted(weights, key=lambda key: random.random() ** (1 / weights[key]), reverse=True)
