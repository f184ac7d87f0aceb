"""Which pools are to be filled: one look at an index of just what pools hold."""

from django.db import connection

from labeling.images import VISIBLE
from labeling.pools import levels

_DUE = """
WITH asked AS MATERIALIZED (  -- each condition is that of an index
    SELECT project.id, grid.grid,
        grid.grid = 1 AND EXISTS (
            SELECT FROM labeling_image
            WHERE project_id = project.id AND NOT generated AND cut_into = 0 AND {visible}
        ) OR grid.grid > 1 AND EXISTS (
            SELECT FROM labeling_image
            WHERE project_id = project.id AND NOT generated AND cut_into > 0
                AND cut_into = grid.grid AND {visible}
        ) AS has_pictures
    FROM labeling_project AS project CROSS JOIN unnest(%(grids)s::int[]) AS grid(grid)
    WHERE project.state = 'open'
)
SELECT concept.id, grid.grid
FROM labeling_concept AS concept
JOIN asked AS grid ON grid.id = concept.project_id AND grid.has_pictures
LEFT JOIN labeling_pool AS pool ON pool.concept_id = concept.id AND pool.grid = grid.grid
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE slice_key IS NOT NULL) AS random,
        count(*) FILTER (WHERE slice_key IS NULL AND reason = 'doubtful') AS doubtful,
        count(*) FILTER (WHERE slice_key IS NULL AND reason = 'likely') AS likely
    FROM labeling_question
    WHERE concept_id = concept.id AND grid = grid.grid AND pool.filled_at IS NOT NULL AND {fresh}
) AS level
WHERE concept.active AND concept.merged_into_id IS NULL AND (
    pool.filled_at IS NULL OR pool.frontier < 1 AND (
        level.random * 2 <= pool.random AND pool.random > 0
        OR level.doubtful * 2 <= pool.doubtful AND pool.doubtful > 0
        OR level.likely * 2 <= pool.likely AND pool.likely > 0
    )
)
ORDER BY pool.filled_at NULLS FIRST, concept.id
"""


def due() -> list[tuple[int, int]]:
    """Return (concept id, grid) of the pools of which a part is half used, the oldest first.

    A part counts as it was when the pool was last filled: so a pool that cannot be filled any
    further is due no more often than its last questions are answered.
    """
    with connection.cursor() as cursor:
        query = _DUE.format(fresh=levels.FRESH, visible=VISIBLE)
        cursor.execute(query, {"grids": list(levels.GRIDS)})
        return list(cursor.fetchall())
