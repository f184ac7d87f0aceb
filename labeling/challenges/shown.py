"""What a challenge shows, and how."""

from labeling.models import Challenge, Tile
from labeling.selection.picks import Kind

COLUMNS = {"grid": 3, "split": 4, "verify": 1, "write": 1, "text": 1}


def shown_tiles(challenge: Challenge) -> list[int]:
    """Return the tiles that a challenge shows: none where it asks by sentences alone."""
    return [] if challenge.kind == Kind.TEXT else challenge.tiles


def shows_generated(challenge: Challenge) -> bool:
    """Whether it shows a single, generated picture; kept back while the answer can be undone."""
    if len(shown_tiles(challenge)) != 1:
        return False
    return Tile.objects.filter(pk__in=challenge.tiles, image__generated=True).exists()
