"""Concept priorities: which concept to ask about first."""

import random
from collections.abc import Iterator, Mapping
from typing import TypeVar

from django.core.cache import cache
from django.db import connection

from labeling import pools
from labeling.models import Project

PRIORITY_SECONDS = 15  # for which the priorities are remembered
TOP_QUESTIONS = 50  # per concept, whose priorities are summed
UNASKED = 100.0  # times the priority of a concept that nobody was asked about yet
FLOOR = 1e-3  # weight of a concept whose open questions are all certain, or worth nothing

T = TypeVar("T")


def by_priority(project: Project, grid: int) -> Iterator[int]:
    """Yield active concepts that may be asked about on tiles of that grid, in a random order.

    A concept's weight is the sum of the highest priorities of its open questions. One without any
    whose pool is not exhausted is weighed by its prevalence; whoever asks about it fills the pool.
    """
    key = pools.priorities_key(project.pk, grid)
    priorities: list[tuple[int, float]] | None = cache.get(key)
    if not priorities:
        priorities = _priorities(project, grid)
        cache.set(key, priorities, PRIORITY_SECONDS)
    yield from weighted_shuffle(dict(priorities))


def _priorities(project: Project, grid: int) -> list[tuple[int, float]]:
    """Return (concept, priority) by a bounded read of the index; concepts without any left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT concept.id, CASE
                WHEN top.priority IS NULL THEN concept.prevalence * concept.value * %(top)s
                WHEN top.answers = 0 THEN greatest(top.priority, 0) * %(unasked)s
                ELSE greatest(top.priority, 0)
            END + %(floor)s
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
            WHERE concept.project_id = %(project)s AND concept.active
                AND concept.merged_into_id IS NULL
                AND (top.priority IS NOT NULL OR %(pictures)s AND NOT coalesce(exhausted, false))
            """,
            {
                "project": project.pk,
                "grid": grid,
                "pictures": pools.has_pictures(project, grid),
                "top": TOP_QUESTIONS,
                "unasked": UNASKED,
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
