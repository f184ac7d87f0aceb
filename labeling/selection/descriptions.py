"""Pictures to describe: those with few captions."""

import secrets
from collections.abc import Iterator

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling import images
from labeling.models import Question, Tile
from labeling.selection.picks import Kind, Pick, Reason, Selection
from labeling.selection.reader import Reader

ENOUGH_CAPTIONS = 5  # of a picture, after which nobody is asked to write one
TILES_TO_DESCRIBE = 24  # looked at for one with few captions


def selections(reader: Reader) -> Iterator[Selection]:
    """Yield a picture with few captions, none of them by this annotator."""
    start = secrets.token_hex(32)
    window = list(_tiles_to_describe(reader).filter(image__sha256__gte=start)[:TILES_TO_DESCRIBE])
    if len(window) < TILES_TO_DESCRIBE:
        before = _tiles_to_describe(reader).filter(image__sha256__lt=start)
        window += before[:TILES_TO_DESCRIBE]
    captions, tile = min(window, default=(ENOUGH_CAPTIONS, 0))
    if captions < ENOUGH_CAPTIONS:
        yield Selection(Kind.WRITE, None, [Pick(None, tile, Reason.WANTED)])


def _tiles_to_describe(reader: Reader) -> QuerySet[Tile, tuple[int, int]]:
    """Return (captions, tile) of whole real pictures without a caption by this annotator."""
    captions = Question.objects.filter(kind=Question.Kind.CAPTION, tile=OuterRef("pk"))
    count = captions.order_by().values("tile").annotate(count=Count("pk")).values("count")
    return (
        Tile.objects.filter(image__project=reader.project, image__generated=False, grid=1)
        .filter(images.visible("image__"))
        .exclude(pk__in=reader.pending_tiles)
        .filter(~Exists(captions.filter(author=reader.annotator)))
        .order_by("image__sha256")
        .values_list(Coalesce(Subquery(count), 0), "pk")
    )
