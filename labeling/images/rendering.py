"""Render tiles before anybody is shown them.

The first showing of a large picture takes ten times as long as later ones. Gold has been shown to
others before: so whoever measures would know that what comes late is none. What a worker renders is
shared with the web process by `CACHE_ROOT` on one machine, and by the storage where that is
elsewhere.
"""

from collections.abc import Collection
from contextlib import suppress

from celery import shared_task

from labeling.enqueue import enqueue_on_commit
from labeling.images import tiles
from labeling.models import Tile
from labeling.stored_folders import StorageAway


@shared_task
def render(ids: list[int]) -> None:
    """Render tiles that were not rendered yet; those whose picture is gone are passed over."""
    for tile in Tile.objects.filter(pk__in=ids).select_related("image"):
        with suppress(FileNotFoundError, StorageAway):
            tiles.open_rendered(tile)
            tiles.share_rendered(tile)


def render_later(ids: Collection[int]) -> None:
    """Have a worker render tiles soon; without one, they are rendered when they are shown."""
    enqueue_on_commit(render, sorted(ids))
