"""The tiles of a large project are looked at by several workers before one of them predicts.

Looking at pictures takes nearly all of a prediction, and each tile is looked at by itself. So
whoever predicts leads: it counts the tiles off into shares, looks at shares like anybody else until
all are done, and then predicts from what was seen, in one process, as it does a small project.
What came in meanwhile it looks at itself. A share is leased, and what is seen of it is a file in
the storage: the share of a worker who died is looked at again, and whoever leads next goes on with
those that are done.
"""

import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count, Max, Q, Sum

from labeling import folder_deletions, json_lines, lease, stored_folders
from labeling.features import Ids
from labeling.inference.arrays import columns
from labeling.models import LeaseLost, Project, Tile
from labeling.models.lease import LeasedQuerySet
from training import processes, sources, tile_files
from training.models import Model, PredictionShare
from training.tile_files import Seen

FOLDER = "seen"
FILE = "seen.safetensors"
SIZE = 8_192  # tiles of a share, about
PICTURES = 32  # that an encoder sees at once: cuts between them leave results the same to the bit
LOOK_AFTER = 1.0  # seconds until another look at whether others are done
TIME_LIMIT = 1800.0  # seconds
TILE_TIME = 0.5  # seconds that each tile adds to it
_TILES = """
SELECT image_id, tile.id FROM labeling_tile AS tile JOIN labeling_image AS image
ON image.id = image_id WHERE project_id = {project} AND tile.id > {after}
"""

OnShared = Callable[[int], None]  # is told how many shares are free
logger = logging.getLogger(__name__)


class Overtaken(RuntimeError):
    """Nobody needs the prediction any more: another model predicts by now."""


@dataclass(frozen=True)
class Prediction:
    """Whose tiles are looked at by whom: by a CLIP, or by the frozen encoder (None)."""

    project: Project
    model: Model | None

    @property
    def shares(self) -> LeasedQuerySet[PredictionShare]:
        """Return its shares, in order."""
        rows: LeasedQuerySet[PredictionShare]
        rows = PredictionShare.objects.filter(project=self.project, model=self.model)
        return rows.order_by("number")

    @property
    def undone(self) -> LeasedQuerySet[PredictionShare]:
        """Return those that nobody has looked at to the end."""
        return self.shares.filter(done=False)


def look(
    prediction: Prediction,
    *,
    check: Callable[[], None],
    on_shared: OnShared = lambda free: None,
    after: int = 0,
) -> Seen:
    """Have others take part in looking at a project's tiles, if they are many.

    Return what was seen: nothing where the tiles are few. One process at a time leads a project.
    check: raises Overtaken once nobody needs it any more. on_shared: wakes other workers,
    who call `look_at_next`. after: the tiles up to this id need not be looked at. Raises what
    `check` does, ChildError, FolderMissing, StorageAway and OSError; shares that are done then
    stay.
    """
    _forget_others(prediction)
    while _count_off(prediction, after) or _has_lost_files(prediction):
        on_shared(prediction.undone.free().count() - 1)
        while prediction.undone.exists():
            check()
            if not look_at_next(prediction):  # others are at the rest
                time.sleep(LOOK_AFTER)
    folders = prediction.shares.values_list("folder", flat=True)
    return Seen.of([stored_folders.fetch(folder) / FILE for folder in folders])


def look_at_next(prediction: Prediction) -> bool:
    """Look at the tiles of the first free share; return whether there was one.

    Raises ChildError, FolderMissing, StorageAway and OSError: somebody else may then look at it.
    """
    row = prediction.undone.acquire_first()
    if row is None:
        return False
    try:
        with lease.kept(row):
            _look(row)
        row.release(done=True)
    except LeaseLost:  # somebody else looks at it by now, or nobody needs it any more
        if not PredictionShare.objects.filter(pk=row.pk).exists():
            folder_deletions.schedule([row.folder])
    except BaseException:
        with suppress(LeaseLost):
            row.release()
        raise
    return True


def forget(prediction: Prediction) -> None:
    """Delete the shares of a prediction, with what was seen; whoever is at one stops."""
    _forget(Q(project=prediction.project, model=prediction.model))


def forget_unneeded() -> None:
    """Delete the shares of models that have predicted, or were overtaken."""
    waits = Model.objects.filter(recipe="clip", current=True, feedback__isnull=True)
    of_clip = Model.objects.filter(recipe="clip", current=True).values("project")
    overtaken = Q(project__in=of_clip) | ~Q(project__state=Project.State.OPEN)
    _forget(~Q(model=None) & ~Q(model__in=waits) | Q(model=None) & overtaken)


def unfinished() -> Iterator[tuple[Prediction, int]]:
    """Yield the predictions that others may take part in, and how many shares are free."""
    free = PredictionShare.objects.filter(done=False).free().order_by()
    counts = free.values_list("project", "model").annotate(free=Count("pk"))
    for project, model, count in counts.order_by("project", "model"):
        clip = Model.objects.select_related("run").get(pk=model) if model else None
        yield Prediction(Project.objects.get(pk=project), clip), count


def progress(prediction: Prediction) -> tuple[int, int] | None:
    """Return how many tiles were looked at, and of how many; None where they are not shared out."""
    sums = prediction.shares.aggregate(seen=Sum("tiles", filter=Q(done=True)), all=Sum("tiles"))
    return (sums["seen"] or 0, sums["all"]) if sums["all"] else None


def _count_off(prediction: Prediction, after: int) -> bool:
    """Count off the tiles that no share holds, if they are many; return whether any is undone."""
    known = prediction.shares.aggregate(last=Max("last_tile"), numbers=Max("number"))
    after = max(after, known["last"] or 0)
    query = _TILES.format(project=prediction.project.pk, after=after)
    images, tiles = columns(query, "int8", "int8")
    if len(tiles) > SIZE:
        images.sort()
        starts = _cuts(images)
        stops = [*starts[1:], len(images)]
        first = 0 if known["numbers"] is None else known["numbers"] + 1
        PredictionShare.objects.bulk_create(
            PredictionShare(
                project=prediction.project,
                model=prediction.model,
                number=number,
                first_image=int(images[start]),
                last_image=int(images[stop - 1]),
                after_tile=after,
                last_tile=int(tiles.max()),
                tiles=int(stop - start),
                folder=f"{FOLDER}/{prediction.project.pk}-{secrets.token_hex(8)}",
            )
            for number, (start, stop) in enumerate(zip(starts, stops, strict=True), first)
        )
    return prediction.undone.exists()


def _has_lost_files(prediction: Prediction) -> bool:
    """Have what the storage has lost be looked at again; return whether there is any."""
    lost = [row.pk for row in prediction.shares if not stored_folders.exists(row.folder)]
    return bool(lost) and bool(prediction.shares.filter(pk__in=lost).update(done=False))


def _cuts(images: Ids) -> list[int]:
    """Return where shares of about SIZE tiles begin, by the rising ids of their images (T,)."""
    of_pictures = np.unique(images, return_index=True)[1]  # the place of each one's first tile
    count = -(-len(images) // SIZE)
    wanted = [len(images) * part // count for part in range(1, count)]
    pictures = np.searchsorted(of_pictures, wanted) // PICTURES * PICTURES
    return [int(of_pictures[place]) for place in np.unique([0, *pictures])]


def _look(row: PredictionShare) -> None:
    """Have a child process look at the tiles of a share, and put what it sees into the storage."""
    with tempfile.TemporaryDirectory(prefix="share-", dir=tile_files.work_folder()) as name:
        work = Path(name)
        json_lines.write(work / "subjects.jsonl", _lines(row))
        local = stored_folders.working(row.folder)
        arguments = ["see", str(work / "subjects.jsonl"), str(local / FILE)]
        arguments += ["--cache", str(Path(settings.CACHE_ROOT) / "training")]
        if row.model:
            arguments += ["--model", str(sources.fetch(row.model))]
        processes.call(
            arguments,
            log=work / "log.txt",
            time_limit=TIME_LIMIT + TILE_TIME * row.tiles,
            watch=row.renew,
        )
    row.renew()
    stored_folders.put(local, row.folder, move=True)


def _lines(row: PredictionShare) -> Iterator[dict[str, Any]]:
    tiles = Tile.objects.filter(
        image__project=row.project_id,
        image__gte=row.first_image,
        image__lte=row.last_image,
        pk__gt=row.after_tile,
        pk__lte=row.last_tile,
    ).select_related("image")
    files = tile_files.LocalFiles()
    for tile in tiles.order_by("image_id", "pk").iterator(chunk_size=tile_files.BATCH):
        yield {"tile": tile.pk, **files.place(tile), "learned": [], "texts": []}


def _forget_others(prediction: Prediction) -> None:
    """Delete the shares of the project's other models: this one overtakes them."""
    _forget(Q(project=prediction.project) & ~Q(model=prediction.model))


def _forget(which: Q) -> None:
    folders = dict(PredictionShare.objects.filter(which).order_by().values_list("pk", "folder"))
    if folders:
        PredictionShare.objects.filter(pk__in=folders).delete()
        folder_deletions.schedule(folders.values())


def _folders_of(project: Project) -> list[str]:
    rows = PredictionShare.objects.filter(project=project)
    return list(rows.order_by().values_list("folder", flat=True))


folder_deletions.register(_folders_of)
