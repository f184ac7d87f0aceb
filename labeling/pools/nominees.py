"""Retire nominees: make pairs implicit again that nobody was asked about."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from labeling.models import Challenge, Pool

RECORDED_WITHIN = timedelta(minutes=1)  # is every answer, once its challenge was claimed

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
    ORDER BY q.id FOR UPDATE OF q SKIP LOCKED
), whole AS (
    SELECT image_id FROM unused GROUP BY image_id HAVING count(*) = %(tiles)s
)
DELETE FROM labeling_question
WHERE id IN (SELECT unused.id FROM unused JOIN whole USING (image_id))
"""


def retire(pool: Pool) -> int:
    """Retire a locked pool's nominees that nobody was asked about; return how many questions.

    One stays that has an answer, a reservation, a pending challenge, a statement or a verdict, or
    is in the random slice. A cut picture goes as a whole or not at all.
    """
    values: dict[str, Any] = {
        "concept": pool.concept_id,
        "grid": pool.grid,
        "pending": list(_pending(pool.concept.project_id)),
        "tiles": pool.grid**2,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RETIRE, values)
        return int(cursor.rowcount)


def _pending(project: int) -> set[int]:
    """Return the questions of pending challenges: those of blocked annotators reserve nothing.

    One that has just expired may have an answer that is being recorded.
    """
    recent = timezone.now() - RECORDED_WITHIN
    pending = Challenge.objects.filter(project=project, answered_at=None, expires_at__gt=recent)
    rows = pending.order_by().values_list("questions", flat=True)
    return {question for questions in rows for question in questions}
