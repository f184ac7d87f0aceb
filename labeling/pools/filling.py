"""Fill pools: in one transaction each, by one process at a time, and never the same pair twice."""

import random

from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from labeling.models import Challenge, Concept, Pool, Project, Question
from labeling.pools import levels, random_slice
from labeling.pools.nomination import Nominations

Reason = Question.Reason

_DUE = """
SELECT concept.id, grid.grid
FROM labeling_concept AS concept
JOIN labeling_project AS project ON project.id = concept.project_id AND project.active
CROSS JOIN unnest(%(grids)s::int[]) AS grid(grid)
LEFT JOIN labeling_pool AS pool ON pool.concept_id = concept.id AND pool.grid = grid.grid
WHERE concept.active AND concept.merged_into_id IS NULL AND NOT coalesce(pool.exhausted, false)
    AND (pool.id IS NULL OR (
        SELECT count(*) FROM labeling_question
        WHERE concept_id = concept.id AND grid = grid.grid AND kind = 'concept' AND state = 'open'
            AND source <> 'model' AND answers_count = 0
            AND (slice_key IS NOT NULL OR reason IN ('doubtful', 'likely'))
    ) <= %(half)s)
ORDER BY pool.filled_at NULLS FIRST, concept.id
"""


def priorities_key(project: int, grid: int) -> str:
    """Return the cache key of the priorities of a project's concepts on tiles of that grid."""
    return f"concept-priorities:{project}:{grid}"


def has_pictures(project: Project, grid: int) -> bool:
    """Whether the project has tiles of that grid that are asked about."""
    return levels.pictures(project, grid).exists()


def due() -> list[tuple[int, int]]:
    """Return (concept id, grid) of the pools that are half used or were never filled."""
    half = sum(levels.target(predicted=True)) // 2
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"grids": list(levels.GRIDS), "half": half})
        return list(cursor.fetchall())


def fill(concept: Concept, grid: int) -> int:
    """Top up a pool where half of a part is used; return how many questions are new.

    Whoever comes while another process fills it waits for that, and finds it full.
    """
    with transaction.atomic():
        pool = _lock(concept, grid)
        if pool.exhausted or not _is_asked(concept):
            return 0
        nominations = Nominations(pool)
        target = levels.target(predicted=nominations.predicted)
        return _top_up(pool, nominations, levels.measure(pool).shortage(target))


def renew(concept: Concept) -> int:
    """Put the pairs that the newest predictions nominate in the place of unused earlier ones.

    Return how many questions are new.
    """
    new = 0
    for grid in levels.grids(concept.project):
        with transaction.atomic():
            pool = _lock(concept, grid)
            if not _is_asked(concept):
                continue
            nominations = Nominations(pool)
            _retire(pool)
            level, target = levels.measure(pool), levels.target(predicted=nominations.predicted)
            missing = levels.Level(
                *(max(want - have, 0) for have, want in zip(level, target, strict=True))
            )
            new += _top_up(pool, nominations, missing)
    return new


def prepare(concept: Concept) -> int:
    """Fill the pools of a concept, as far as they are not full; return the new questions."""
    return sum(fill(concept, grid) for grid in levels.grids(concept.project))


def fill_project(project: Project) -> int:
    """Fill the pools of all concepts of a project; return how many questions are new."""
    concepts = project.concepts.filter(active=True, merged_into=None).select_related("project")
    return sum(prepare(concept) for concept in concepts)


def _is_asked(concept: Concept) -> bool:
    return concept.active and concept.merged_into_id is None


def _lock(concept: Concept, grid: int) -> Pool:
    """Return the locked pool, made if there is none; its concept as it is now."""
    Pool.objects.get_or_create(concept=concept, grid=grid, defaults={"start": random.random()})
    pool = Pool.objects.select_for_update(no_key=True).get(concept=concept, grid=grid)
    pool.concept = concept
    return pool


def _top_up(pool: Pool, nominations: Nominations, missing: levels.Level) -> int:
    """Add what is missing; what the model does not nominate is drawn at random."""
    before = _size(pool)
    nominated = nominations.add(Reason.LIKELY, missing.likely)
    nominated += nominations.add(Reason.DOUBTFUL, missing.doubtful)
    rest = sum(missing) - nominated
    if rest > 0:
        random_slice.draw(pool, -(-rest // pool.grid**2))
    first = pool.filled_at is None
    pool.exhausted = pool.frontier >= 1.0
    pool.filled_at = timezone.now()
    pool.save()
    if first:  # so that a new concept is not passed over while priorities are remembered
        transaction.on_commit(
            lambda: cache.delete(priorities_key(pool.concept.project_id, pool.grid))
        )
    return _size(pool) - before


def _size(pool: Pool) -> int:
    """Count what a pool holds."""
    return levels.fresh(pool).count()


_RETIRE = """
WITH unused AS (
    SELECT q.id, tile.image_id FROM labeling_question AS q
    JOIN labeling_tile AS tile ON tile.id = q.tile_id
    WHERE q.concept_id = %(concept)s AND q.grid = %(grid)s AND q.kind = 'concept'
        AND q.state = 'open' AND q.source <> 'model' AND q.answers_count = 0
        AND q.slice_key IS NULL AND q.reason IN ('doubtful', 'likely')
        AND q.stated IS NULL AND q.verdict IS NULL AND q.answers_wanted = 0
        AND NOT EXISTS (SELECT FROM unnest(q.reservations) AS expiry WHERE expiry > now())
        AND NOT EXISTS (SELECT FROM labeling_answer WHERE question_id = q.id)
        AND q.id <> ALL(%(pending)s)
    FOR UPDATE OF q SKIP LOCKED
), whole AS (
    SELECT min(image_id) AS image_id FROM unused
    GROUP BY image_id HAVING count(*) = %(tiles)s
)
DELETE FROM labeling_question
WHERE id IN (SELECT unused.id FROM unused JOIN whole USING (image_id))
"""


def _retire(pool: Pool) -> int:
    """Make nominated pairs implicit again that nobody was asked about; return how many.

    A cut picture goes as a whole or not at all.
    """
    pending = Challenge.objects.filter(
        project=pool.concept.project_id, answered_at=None, expires_at__gt=timezone.now()
    )
    asked = {q for each in pending.order_by().values_list("questions", flat=True) for q in each}
    with connection.cursor() as cursor:
        cursor.execute(
            _RETIRE,
            {
                "concept": pool.concept_id,
                "grid": pool.grid,
                "pending": list(asked),
                "tiles": pool.grid**2,
            },
        )
        return int(cursor.rowcount)
