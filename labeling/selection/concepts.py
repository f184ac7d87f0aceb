"""Concept priorities: which concept to ask about first."""

import random
from collections.abc import Iterator, Mapping
from typing import TypeVar

from django.core.cache import cache
from django.db import connection

from labeling.models import Project

PRIORITY_SECONDS = 15  # for which the priorities are remembered
TOP_QUESTIONS = 50  # per concept, whose priorities are summed
FLOOR = 1e-3  # weight of a concept whose open questions are all certain, or worth nothing

T = TypeVar("T")


def by_priority(project: Project, grid: int) -> Iterator[int]:
    """Yield active concepts with open questions on tiles of that grid, in a random order.

    A concept's weight is the sum of the highest priorities of its questions.
    """
    key = f"concept-priorities:{project.pk}:{grid}"
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
            SELECT concept.id, greatest(top.priority, 0) + %(floor)s
            FROM labeling_concept AS concept CROSS JOIN LATERAL (
                SELECT sum(priority) AS priority FROM (
                    SELECT priority FROM labeling_question
                    WHERE concept_id = concept.id AND grid = %(grid)s
                        AND kind = 'concept' AND state = 'open' AND source <> 'model'
                    ORDER BY priority DESC LIMIT %(top)s
                ) AS highest
            ) AS top
            WHERE concept.project_id = %(project)s AND concept.active
                AND top.priority IS NOT NULL
            """,
            {"project": project.pk, "grid": grid, "top": TOP_QUESTIONS, "floor": FLOOR},
        )
        return list(cursor.fetchall())


def weighted_shuffle(weights: Mapping[T, float]) -> list[T]:
    """Return the keys in a random order in which those of larger weight tend to come first.

    P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a reservoir", Information
    Processing Letters 97 (2006). Weights are above 0.
    """
    return sorted(weights, key=lambda key: random.random() ** (1 / weights[key]), reverse=True)
