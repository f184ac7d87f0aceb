"""Let an import be done: all that it brought is there for people from one moment on."""

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from labeling.images.visibility import UNFINISHED
from labeling.models import Import

ANNOUNCED = 1_000  # pictures in one announcement

# Pools have passed by pictures that were not there for people (`labeling.images.visible`).
_ANNOUNCE = """
INSERT INTO labeling_newpictures (project_id, grid, random_keys)
SELECT %(project)s, grid, array_agg(random_key) FROM (
    SELECT CASE WHEN cut_into > 0 THEN cut_into ELSE 1 END AS grid, random_key,
        row_number() OVER () / %(batch)s AS batch
    FROM labeling_image AS image WHERE imported_by_id = %(record)s OR imported_by_id IN (
        SELECT id FROM labeling_import
        WHERE project_id = %(project)s AND state = ANY(%(unfinished)s)
    ) AND EXISTS (
        SELECT FROM labeling_importstatement
        WHERE image_id = image.id AND imported_by_id = %(record)s
    )
) AS pictures GROUP BY grid, batch
"""


def finish(held: Import, **fields: Any) -> None:
    """Release an import that is done, and announce its pictures to the pools. Raises LeaseLost.

    With them come those of imports that failed, of which this one speaks.
    """
    with transaction.atomic():
        values: dict[str, Any] = {
            "project": held.project_id,
            "record": held.pk,
            "batch": ANNOUNCED,
            "unfinished": [str(state) for state in UNFINISHED],
        }
        with connection.cursor() as cursor:
            cursor.execute(_ANNOUNCE, values)
        held.release(
            state=Import.State.DONE, error="", finished_at=timezone.now(), attempts=0, **fields
        )
