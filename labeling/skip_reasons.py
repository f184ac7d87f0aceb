"""Why annotators skipped: the reasons that they gave, counted by picture and question."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from labeling import audit, prepared, presence
from labeling.models import Challenge, Event, Project, Question, SkipReview, Tile

RECENT = timedelta(days=30)  # older reasons are not shown any more
_LABELS = dict(Challenge.SkipReason.choices)

# A skip of one picture says more about it than a skip of nine about each: shares rank them.
_COUNT = """
SELECT tile, question, skip_reason, count(DISTINCT annotator_id) AS people,
    sum(1.0 / greatest(cardinality(tiles), 1))::double precision AS share,
    max(answered_at) AS newest
FROM (
    SELECT challenge.*, coalesce(shown.tile, own.tile_id) AS tile, shown.question
    FROM labeling_challenge AS challenge
    JOIN labeling_annotator AS annotator ON annotator.id = challenge.annotator_id
    CROSS JOIN LATERAL unnest(challenge.tiles, challenge.questions) AS shown (tile, question)
    LEFT JOIN labeling_question AS own ON own.id = shown.question
    WHERE challenge.project_id = %(project)s AND challenge.skip_reason <> ''
        AND challenge.answered_at > %(since)s AND NOT annotator.blocked
        AND (%(asked)s::bigint IS NULL OR challenge.questions @> ARRAY[%(asked)s::bigint])
) AS skips
WHERE tile IS NOT NULL AND (%(asked)s::bigint IS NULL OR question = %(asked)s)
    AND NOT EXISTS (
        SELECT FROM labeling_skipreview AS review
        WHERE review.tile_id = skips.tile AND review.resolved_at >= skips.answered_at
            AND review.question_id IS NOT DISTINCT FROM skips.question
    )
GROUP BY tile, question, skip_reason
"""


@dataclass
class Skipped:
    """A tile, and the question about it where there is one, that people skipped for a reason."""

    tile: Tile
    question: Question | None
    people: dict[str, int]  # by reason: how many different annotators gave it
    share: float  # of skips: one that shows nine tiles is a ninth of one of each
    newest: datetime

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Return (reason in words, number of annotators), the most frequent first."""
        ordered = sorted(self.people.items(), key=lambda item: (-item[1], item[0]))
        return [(str(_LABELS[reason]), people) for reason, people in ordered]


def of_project(project: Project, *, limit: int = 48) -> list[Skipped]:
    """Return what was skipped for a reason of late, the most often skipped first.

    What blocked annotators say is left out, and what was seen to.
    """
    counts = _count(project, asked=None)
    ranked = sorted(counts.values(), key=lambda each: (-each["share"], -each["newest"].timestamp()))
    return _with_rows(ranked[:limit])


def of_question(question: Question) -> Skipped | None:
    """Return for which reasons a question was skipped of late; None where it was not."""
    rows = _with_rows(list(_count(question.project, asked=question.pk).values()))
    return rows[0] if rows else None


def resolve(*, tile: Tile, question: Question | None, by: AbstractBaseUser) -> None:
    """Say that the skips of a tile, or of a question about it, were seen to; later ones show again.

    Raises PictureGone.
    """
    with transaction.atomic():
        presence.hold(question=question, tile=tile)
        SkipReview.objects.update_or_create(
            tile=tile,
            question=question,
            defaults={
                "project_id": tile.image.project_id,
                "resolved_at": timezone.now(),
                "resolved_by_id": by.pk,
            },
        )
        audit.record(
            project=tile.image.project,
            kind=Event.Kind.DECISION,
            message="Resolved why people skipped a picture.",
            by=by,
            row=question or tile,
        )


def _count(project: Project, *, asked: int | None) -> dict[tuple[int, int | None], dict[str, Any]]:
    values: Mapping[str, object] = {
        "project": project.pk,
        "since": timezone.now() - RECENT,
        "asked": asked,
    }
    counts: dict[tuple[int, int | None], dict[str, Any]] = {}
    for tile, question, reason, people, share, newest in prepared.fetch(_COUNT, dict(values)):
        empty = {"key": (tile, question), "people": {}, "share": 0.0, "newest": newest}
        row = counts.setdefault((tile, question), empty)
        row["people"][reason] = people
        row["share"] += share
        row["newest"] = max(row["newest"], newest)
    return counts


def _with_rows(counts: list[dict[str, Any]]) -> list[Skipped]:
    """Return the counts with their tiles and questions; what was removed meanwhile is left out."""
    tiles = Tile.objects.select_related("image").in_bulk([each["key"][0] for each in counts])
    asked = [question for each in counts if (question := each["key"][1]) is not None]
    questions = Question.objects.select_related("concept").in_bulk(asked)
    return [
        Skipped(
            tile=tiles[tile],
            question=questions.get(question),
            people=each["people"],
            share=each["share"],
            newest=each["newest"],
        )
        for each in counts
        for tile, question in [each["key"]]
        if tile in tiles
    ]
