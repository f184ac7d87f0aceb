"""Pools: what is nominated to be asked about each concept, on the tiles of each grid.

A pool holds open questions that nobody has answered yet: so many that the model doubts most, so
many that are likely to be true, and so many of the random slice. A part is topped up once half of
it is used. Without predictions, a pool holds nothing but the random slice.

Whoever fills a pool locks its concept, then the pool, then questions in the order of their ids, and
holds no second pool and no annotator meanwhile.
"""

from labeling.pools.due_pools import due
from labeling.pools.filling import fill, fill_project, prepare, renew
from labeling.pools.levels import has_pictures
from labeling.pools.new_pictures import notice
from labeling.pools.priorities import forget_priorities, priorities_key
from labeling.pools.tasks import fill_later

__all__ = [
    "due",
    "fill",
    "fill_later",
    "fill_project",
    "forget_priorities",
    "has_pictures",
    "notice",
    "prepare",
    "priorities_key",
    "renew",
]
