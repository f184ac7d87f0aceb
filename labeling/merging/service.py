"""Merge a concept into another, and move what is left of it later."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from labeling import audit, concepts, excluding, question_state
from labeling.batches import batched
from labeling.merging import batches, names
from labeling.merging.batches import Counts
from labeling.models import Challenge, Concept, Event, GoldMark, Question
from labeling.numbers import count

AT_ONCE = 1_000  # questions that are moved while somebody waits

# Nominations that nobody has used become implicit again; a cut picture as a whole or not at all.
_DROP_UNUSED = """
WITH unused AS (
    SELECT q.id, q.grid, tile.image_id FROM labeling_question AS q
    JOIN labeling_tile AS tile ON tile.id = q.tile_id
    WHERE q.concept_id = %s AND q.kind = 'concept' AND q.source <> 'model'
        AND q.reason IN ('random', 'doubtful', 'likely')
        AND q.stated IS NULL AND q.verdict IS NULL AND q.answers_wanted = 0
        AND NOT EXISTS (SELECT FROM labeling_answer WHERE question_id = q.id)
    FOR UPDATE OF q SKIP LOCKED
), whole AS (
    SELECT grid, image_id FROM unused GROUP BY grid, image_id HAVING count(*) = grid * grid
)
DELETE FROM labeling_question
WHERE id IN (SELECT unused.id FROM unused JOIN whole USING (grid, image_id))
"""


@dataclass(frozen=True)
class Merged:
    """What a merge has moved, and how many questions it leaves to a worker."""

    concept: Concept
    into: Concept
    counts: Counts
    left: int

    def __str__(self) -> str:
        counts = self.counts
        moved = (
            f"Merged “{self.concept}” into “{self.into}”: {count(counts.questions, 'question')}, "
            f"{count(counts.answers, 'answer')} moved, {counts.kept:,} kept beside."
        )
        if not self.left:
            return moved
        verb = "follows" if self.left == 1 else "follow"
        return f"{moved} {count(self.left, 'more question')} {verb} within minutes."


def merge(*, concept: Concept, into: Concept, by: User) -> Merged:
    """Merge a concept into another one of its project.

    - Its questions become those of `into`. Where a tile has both, its answers move to the other
      question, but for those of annotators who answered that too: theirs are kept beside, with the
      merged concept's question. A verdict of `into` comes before one of the merged concept.
    - Its name and aliases become aliases of `into`, what keywords state by them is taken over, and
      class sets that hold it hold `into`. Predictions of `into` stay, its own are deleted.
    - Its definition, its phrases in other languages and its examples become those of `into` where
      that has none: no definition, no phrase in that language, the picture no example, and room.
    - Its pending challenges expire, and its row stays, inactive.

    Raises ConceptError.
    """
    with transaction.atomic():
        concept, into = names.take_over_names(concept, into)
        names.take_over_guide(concept, into)
        GoldMark.objects.filter(concept=concept).update(concept=into)
        _expire_challenges(concept)
    counts, left = move(concept, limit=AT_ONCE)
    merged = Merged(concept, into, counts, left)
    concepts.take_over(into, limit=concepts.AT_ONCE)
    with transaction.atomic():
        audit.record(
            project=concept.project, kind=Event.Kind.CONCEPT, message=str(merged), by=by, row=into
        )
        audit.log([concept], by=by, message=str(merged))
    return merged


def move(concept: Concept, *, limit: int | None = None) -> tuple[Counts, int]:
    """Move up to so many questions of a merged concept; return what was moved, and how many wait.

    Each answer is counted before and after its batch.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DROP_UNUSED, [concept.pk])
    waiting = Question.objects.filter(concept=concept).exclude(reason=Question.Reason.MERGED)
    ids = list(waiting.order_by("pk").values_list("pk", flat=True))
    chosen = ids[:limit]
    counts = Counts()
    for batch in batched(chosen, question_state.BATCH):
        counts = counts.plus(batches.move_batch(concept.pk, batch))
    excluding.request_all(concept.project, learn=True)
    return counts, len(ids) - len(chosen)


def finish(concept: Concept) -> Counts:
    """Move all that is left of a merged concept, and note that it is done."""
    counts, _ = move(concept)
    Concept.objects.filter(pk=concept.pk).update(unfinished_from=None)
    return counts


def _expire_challenges(concept: Concept) -> None:
    """Expire pending challenges; an answer that is being recorded is waited for."""
    now = timezone.now()
    pending = Challenge.objects.filter(concept=concept, answered_at=None, expires_at__gt=now)
    pending.update(expires_at=now)
