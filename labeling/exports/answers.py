"""The raw answers of a snapshot, each under a pseudonym that holds for one export alone."""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from typing import Any

from labeling import replica
from labeling.models import Snapshot
from labeling.snapshot_rows import STEM_LENGTH

PSEUDONYM_LENGTH = 16  # characters
BATCH = 2_000  # answers
_QUERY = f"""
SELECT left(image.sha256, {STEM_LENGTH}), image.source, question.kind, concept.name, question.text,
    question.grid, tile.position, tile.left, tile.top, tile.width, tile.height,
    answer.annotator_id, answer.value, NOT annotator.blocked
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = answer.question_id
JOIN labeling_tile AS tile ON tile.id = question.tile_id
JOIN labeling_image AS image ON image.id = tile.image_id
JOIN labeling_annotator AS annotator ON annotator.id = answer.annotator_id
LEFT JOIN labeling_concept AS concept ON concept.id = question.concept_id
WHERE image.project_id = %s AND answer.id <= %s
ORDER BY image.sha256, question.id, md5(%s || answer.annotator_id::text)
"""


def of(snapshot: Snapshot, key: str) -> Iterator[dict[str, Any]]:
    """Yield the answers that a snapshot rests on, but those withdrawn since.

    key: a secret of the export, of which nothing remains after it.
    """
    with replica.connection().chunked_cursor() as cursor:
        cursor.execute(_QUERY, [snapshot.project_id, snapshot.newest_answer, key])
        while rows := cursor.fetchmany(BATCH):
            for row in rows:
                yield _answer(row, key)


def _answer(row: tuple[Any, ...], key: str) -> dict[str, Any]:
    stem, source, kind, concept, text, grid, position, *place, annotator, value, counted = row
    asked = concept or text
    return {
        "picture": stem,
        "source": source,
        "task": " ".join([stem, *([",".join(map(str, place))] if grid != 1 else []), asked]),
        "kind": kind,
        "text": asked,
        "grid": grid,
        "position": position,
        **dict(zip(("left", "top", "width", "height"), place, strict=True)),
        "worker": pseudonym(annotator, key),
        "label": "yes" if value else "no",
        "counted": "yes" if counted else "no",
    }


def pseudonym(annotator: int, key: str) -> str:
    """Return the name of an annotator in the export of that key."""
    digest = hmac.new(key.encode(), str(annotator).encode(), hashlib.sha256)
    return digest.hexdigest()[:PSEUDONYM_LENGTH]


def new_key() -> str:
    """Return a new secret for the pseudonyms of one export."""
    return secrets.token_hex(16)
