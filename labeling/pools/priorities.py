"""The remembered priorities of concepts, which change once their pools do."""

from django.core.cache import cache
from django.db import transaction

from labeling.models import Project
from labeling.pools import levels


def priorities_key(project: int, grid: int) -> str:
    """Return the cache key of the priorities of a project's concepts on tiles of that grid."""
    return f"concept-priorities:{project}:{grid}"


def forget_priorities(project: Project) -> None:
    """Read the priorities of a project's concepts again, once the transaction is committed."""
    keys = [priorities_key(project.pk, grid) for grid in levels.GRIDS]
    transaction.on_commit(lambda: cache.delete_many(keys))
