"""How full a pool is, and how full it should be; all counts are of questions."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from labeling import images
from labeling.models import Image, Project

GRIDS = (1, 4)  # of tiles that are asked about: wholes, and the parts of cut pictures

# `labeling.models.questions.POOLED` as SQL, by which PostgreSQL chooses the index on it.
FRESH = """kind = 'concept' AND state = 'open' AND source <> 'model' AND answers_count = 0
    AND (slice_key IS NOT NULL OR reason IN ('doubtful', 'likely'))"""

_MEASURE = f"""
SELECT count(*) FILTER (WHERE slice_key IS NOT NULL),
    count(*) FILTER (WHERE slice_key IS NULL AND reason = 'doubtful'),
    count(*) FILTER (WHERE slice_key IS NULL AND reason = 'likely')
FROM labeling_question
WHERE concept_id = %s AND grid = %s AND {FRESH}
    AND NOT EXISTS (SELECT FROM unnest(reservations) AS expiry WHERE expiry > now())
"""


class Level(NamedTuple):
    """Questions that nobody has answered or is being asked, by part."""

    random: int
    doubtful: int
    likely: int

    def missing(self, target: Self) -> "Level":
        """Return what each part lacks to its target."""
        return Level(*(max(want - have, 0) for have, want in zip(self, target, strict=True)))

    def shortage(self, target: Self) -> "Level":
        """Return what each part lacks to its target; nothing while more than half is left."""
        pairs = zip(self, target, strict=True)
        return Level(*(want - have if 2 * have <= want else 0 for have, want in pairs))


def target(*, predicted: bool) -> Level:
    """Return what a full pool holds; without predictions all of it is the random slice."""
    full = Level(settings.POOL_RANDOM, settings.POOL_DOUBTFUL, settings.POOL_LIKELY)
    return full if predicted else Level(sum(full), 0, 0)


def measure(concept: int, grid: int) -> Level:
    """Count what a concept's pool still holds. Expired reservations count as none."""
    with connection.cursor() as cursor:
        cursor.execute(_MEASURE, [concept, grid])
        return Level(*cursor.fetchone())


def pictures(project: Project, grid: int) -> QuerySet[Image]:
    """Return the pictures whose tiles of that grid are asked about: a cut one is by its parts."""
    rows = Image.objects.filter(project=project, generated=False, cut_into=cut_into(grid))
    return rows.filter(images.visible())


def cut_into(grid: int) -> int:
    """Return `Image.cut_into` of the pictures whose tiles of that grid are asked about."""
    return 0 if grid == 1 else grid


def has_pictures(project: Project, grid: int) -> bool:
    """Whether the project has tiles of that grid that are asked about."""
    return pictures(project, grid).exists()


def grids(project: Project) -> Iterable[int]:
    """Return the grids of which the project has tiles that are asked about."""
    return [grid for grid in GRIDS if has_pictures(project, grid)]
