"""Pools: what is nominated to be asked about each concept, on the tiles of each grid.

A pool holds open questions that nobody has answered yet: so many that the model doubts most, so
many that are likely to be true, and so many of the random slice. A part is topped up once half of
it is used. Without predictions, a pool holds nothing but the random slice.
"""

from labeling.pools.filling import (
    due,
    fill,
    fill_project,
    has_pictures,
    prepare,
    priorities_key,
    renew,
)

__all__ = ["due", "fill", "fill_project", "has_pictures", "prepare", "priorities_key", "renew"]
