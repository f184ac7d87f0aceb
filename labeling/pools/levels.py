"""How full a pool is, and how full it should be; all counts are of questions."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from labeling.models import Image, Pool, Project, Question

GRIDS = (1, 4)  # of tiles that are asked about: wholes, and the parts of cut pictures

Reason = Question.Reason

NOMINATED = Q(slice_key__isnull=False) | Q(reason__in=[Reason.DOUBTFUL, Reason.LIKELY])
POOLED = Q(kind="concept", state="open", answers_count=0) & ~Q(source="model") & NOMINATED


class Level(NamedTuple):
    """Open questions without an answer, by part."""

    random: int
    doubtful: int
    likely: int

    def shortage(self, target: Self) -> "Level":
        """Return what each part lacks to its target; nothing while more than half is left."""
        pairs = zip(self, target, strict=True)
        return Level(*(want - have if 2 * have <= want else 0 for have, want in pairs))


def target(*, predicted: bool) -> Level:
    """Return what a full pool holds; without predictions all of it is the random slice."""
    full = Level(settings.POOL_RANDOM, settings.POOL_DOUBTFUL, settings.POOL_LIKELY)
    return full if predicted else Level(sum(full), 0, 0)


def measure(pool: Pool) -> Level:
    """Count what a pool still holds, by an index of just these questions."""
    in_slice = Q(slice_key__isnull=False)
    counts = fresh(pool).aggregate(
        random=Count("pk", filter=in_slice),
        doubtful=Count("pk", filter=~in_slice & Q(reason=Reason.DOUBTFUL)),
        likely=Count("pk", filter=~in_slice & Q(reason=Reason.LIKELY)),
    )
    return Level(**counts)


def fresh(pool: Pool) -> QuerySet[Question]:
    """Return the nominated questions of a pool that are open and have no answer."""
    in_pool = Question.objects.filter(POOLED, concept=pool.concept_id, grid=pool.grid)
    return in_pool.order_by()


def pictures(project: Project, grid: int) -> QuerySet[Image]:
    """Return the pictures whose tiles of that grid are asked about: a cut one is by its parts."""
    cut_into = 0 if grid == 1 else grid
    return Image.objects.filter(project=project, generated=False, cut_into=cut_into)


def grids(project: Project) -> Iterable[int]:
    """Return the grids of which the project has tiles that are asked about."""
    return [grid for grid in GRIDS if pictures(project, grid).exists()]
