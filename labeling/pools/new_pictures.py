"""Have pools take notice of pictures that were stored since they were filled."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt
from django.db import transaction

from labeling.models import NewPictures, Pool, Project
from labeling.pools import random_slice
from labeling.pools.priorities import forget_priorities

BATCH = 1_000  # announcements that are worked off together: some 200,000 pictures


def notice(project: Project | None = None) -> int:
    """Take the pools' frontiers back to the first new picture that they have passed.

    project: whose pictures; all projects' without one. Return how many pools are to be filled
    because of that. Whoever stored the pictures announced them in the same transaction: so none is
    missed, however late that one was committed.
    """
    changed = 0
    with transaction.atomic():
        announced = NewPictures.objects.select_for_update(of=("self",), skip_locked=True)
        if project is not None:
            announced = announced.filter(project=project)
        rows = list(announced.select_related("project").order_by("pk")[:BATCH])
        keys: dict[tuple[int, int], list[float]] = defaultdict(list)
        for row in rows:
            keys[row.project_id, row.grid] += row.random_keys
        for (about, grid), new in sorted(keys.items()):
            changed += _step_back(about, grid, np.array(new))
        for each in {row.project_id: row.project for row in rows}.values():
            forget_priorities(each)
        NewPictures.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return changed


def _step_back(project: int, grid: int, keys: npt.NDArray[np.float64]) -> int:
    """Take the frontiers that have passed pictures with these keys (K,) back to the first one."""
    pools = Pool.objects.filter(concept__project=project, grid=grid).order_by("pk")
    locked = list(pools.select_for_update(of=("self",), no_key=True))
    ordered = np.sort(keys)
    starts = np.array([pool.start for pool in locked])
    following = ordered[np.searchsorted(ordered, starts) % len(ordered)]
    passed = []
    for pool, key in zip(locked, following.tolist(), strict=True):
        first = random_slice.position(key, pool.start)
        if first < pool.frontier:
            pool.frontier, pool.filled_at = first, None
            passed.append(pool)
    Pool.objects.bulk_update(passed, ["frontier", "filled_at"], batch_size=1_000)
    return len(passed)
