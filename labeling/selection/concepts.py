"""Which concepts are asked about first: those with the most wanted questions."""

import random
from collections.abc import Iterator, Mapping
from typing import TypeVar

from django.core.cache import cache
from django.db import connection

from labeling.models import Project

WANTED_SECONDS = 15  # for which the ranking is remembered

GRIDS = [1, 4]  # whole pictures, and tiles of one cut into 4 × 4

T = TypeVar("T")


def concepts(project: Project, grid: int) -> Iterator[int]:
    """Concepts with open questions, the more wanted ones likelier to come first."""
    key = f"wanted:{project.pk}"
    wanted = cache.get(key)
    if not wanted or not wanted.get(grid):
        wanted = _want(project)
        cache.set(key, wanted, WANTED_SECONDS)
    yield from shuffled(wanted.get(grid, {}))


def _want(project: Project) -> dict[int, dict[int, float]]:
    """grid → concept → the sum of its highest priorities, a bounded read."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT grid, concept.id, (
                SELECT sum(priority) FROM (
                    SELECT priority FROM labeling_question
                    WHERE concept_id = concept.id AND grid = grids.grid
                        AND kind = 'concept' AND state = 'open' AND source <> 'model'
                    ORDER BY priority DESC LIMIT 50
                ) AS best
            )
            FROM labeling_concept AS concept, unnest(%s::int[]) AS grids(grid)
            WHERE concept.project_id = %s AND concept.active
            """,
            [GRIDS, project.pk],
        )
        wanted: dict[int, dict[int, float]] = {grid: {} for grid in GRIDS}
        for grid, concept, want in cursor.fetchall():
            if want is not None:
                wanted[grid][concept] = want + 1e-3
    return wanted


def shuffled(weights: Mapping[T, float]) -> list[T]:
    """Keys in a random order in which heavier ones tend to come first.

    P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a reservoir" (2006).
    """
    return sorted(weights, key=lambda key: random.random() ** (1 / weights[key]), reverse=True)
