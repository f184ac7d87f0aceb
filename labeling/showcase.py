"""Pictures of public projects, for whoever looks in: a few of each, others each day.

They are drawn at random from all of a project's pictures, whatever is known of them, so that they
tell nothing of which of them are gold.
"""

import hashlib
from datetime import date

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from labeling import images, project_stats
from labeling.models import Comment, Image, Project, Tile

PICTURES = 9  # of a project
LONGEST = 240  # pixels of a picture's longer side
SECONDS = 600  # for which the choice is kept


def tiles(project: Project) -> list[int]:
    """Return the ids of the whole tiles of a few pictures, about `SECONDS` old at most.

    None of a project that is private or asks nothing.
    """
    if project.private or not project.active:
        return []
    key = f"showcase:{project.pk}"
    kept = project_stats.cached(key, lambda: {"tiles": _choose(project)}, SECONDS)
    return [int(pk) for pk in kept["tiles"]]


def _choose(project: Project) -> list[int]:
    """Return the tiles of the pictures that follow today's place among all."""
    start = _place(project, timezone.localdate())
    chosen: list[int] = []
    for rows in (_pictures(project, cut=False), _pictures(project, cut=True)):
        for part in (rows.filter(random_key__gte=start), rows.filter(random_key__lt=start)):
            missing = PICTURES - len(chosen)
            if missing > 0:
                chosen += part.order_by("random_key").values_list("pk", flat=True)[:missing]
    whole = Tile.objects.filter(image__in=chosen, grid=1, position=0)
    by_image = dict(whole.values_list("image", "pk"))
    return [by_image[pk] for pk in chosen if pk in by_image]


def _pictures(project: Project, *, cut: bool) -> QuerySet[Image]:
    """Return the pictures that may be shown, without what somebody found offensive."""
    rows = Image.objects.filter(project=project, generated=False, near_duplicate_of=None)
    rows = rows.filter(images.visible())
    rows = rows.filter(cut_into__gt=0) if cut else rows.filter(cut_into=0)
    flags = Comment.objects.filter(
        tile__image=OuterRef("pk"), kind=Comment.Kind.OFFENSIVE, resolved_at=None
    )
    return rows.exclude(Exists(flags))


def _place(project: Project, day: date) -> float:
    """Return the day's place among a project's pictures, in [0, 1)."""
    digest = hashlib.sha256(f"{project.pk} {day}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
