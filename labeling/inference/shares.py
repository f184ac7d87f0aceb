"""What a recomputation found, written by several workers: whoever recomputes leads, others join.

Inference itself takes one process a short while; writing takes the most of a recomputation, and
each batch of it is independent. So the leader puts what it found into the storage, counts the
questions off into shares, and writes shares like anybody else until all are done. A share is
leased: that of a worker who died is written again, and whoever leads next takes all of them back.
"""

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from django.db.models import Sum

from labeling import folder_deletions, stored_folders
from labeling.inference import writing
from labeling.inference.writing import Found
from labeling.models import LeaseLost, Recomputation, RecomputationShare
from labeling.models.lease import LeasedQuerySet
from labeling.stored_folders import StorageAway

FOLDER = "recomputations"
SIZE = 5_000  # questions of a share: one to two seconds
SHARED_FROM = 4 * SIZE  # questions; fewer are written sooner than others are woken
PATIENCE = 15.0  # seconds for which it is written before a request ends that
LOOK_AFTER = 0.2  # seconds until another look at whether others are done

OnShared = Callable[[], None]
logger = logging.getLogger(__name__)


class Superseded(Exception):
    """Another recomputation was requested, which knows better what is left to be written."""


def write(
    found: Found, recomputation: Recomputation, on_shared: OnShared | None, *, whole: bool = True
) -> int:
    """Write what a recomputation found; return how many questions changed.

    on_shared: wakes another worker, who calls `write_next`; None: nobody is to help. The caller
    keeps the lease meanwhile. Raises LeaseLost; and unless the whole is to be written, Superseded
    where another recomputation is requested after a while: somebody was found out whose answers
    would stay in what is left.
    """
    forget(recomputation)
    if on_shared is None or len(found) < SHARED_FROM:
        return writing.write(found, recomputation.renew)
    try:
        _share_out(found, recomputation)
    except StorageAway as error:
        logger.warning("%s is written by one worker: %s", recomputation.project, error)
        return writing.write(found, recomputation.renew)
    shares = _of(recomputation.pk)
    on_shared()
    since = time.monotonic()
    while shares.filter(done=False).exists():
        if not write_next(recomputation.pk):
            time.sleep(LOOK_AFTER)
        if not whole and time.monotonic() >= since + PATIENCE and _is_requested(recomputation):
            forget(recomputation)
            raise Superseded
    recomputation.renew()
    changed: int = shares.aggregate(total=Sum("changed"))["total"] or 0
    forget(recomputation)
    return changed


def take_part(recomputation: int) -> int:
    """Write shares until none is free; return how many.

    Raises StorageAway or FolderMissing; the leader then writes what is left.
    """
    written = 0
    while write_next(recomputation):
        written += 1
    return written


def write_next(recomputation: int, on_begun: Callable[[], None] = lambda: None) -> bool:
    """Write the first free share; return whether there was one. Raises as `take_part` does.

    on_begun: called where there is one, before it is written.
    """
    row = _of(recomputation).filter(done=False).order_by("number").acquire_first()
    if row is None:
        return False
    try:
        on_begun()
        found = writing.load(stored_folders.fetch(row.folder))[row.first : row.stop]
        row.release(changed=writing.write(found, row.renew), done=True)
    except LeaseLost:  # somebody else writes it by now, or leads again
        pass
    except BaseException:
        with suppress(LeaseLost):
            row.release()
        raise
    return True


def forget(recomputation: Recomputation) -> None:
    """Take back what shares there are; whoever is at one writes no more."""
    shares = _of(recomputation.pk)
    folders = set(shares.order_by().values_list("folder", flat=True))
    if folders:
        shares.delete()
        folder_deletions.schedule(folders)


def _is_requested(recomputation: Recomputation) -> bool:
    return Recomputation.objects.filter(pk=recomputation.pk, requested=True).exists()


def _share_out(found: Found, recomputation: Recomputation) -> None:
    folder = f"{FOLDER}/{recomputation.pk}-{secrets.token_hex(4)}"
    local = stored_folders.working(folder)
    writing.save(found, local)
    stored_folders.put(local, folder, move=True)
    RecomputationShare.objects.bulk_create(
        RecomputationShare(
            recomputation=recomputation,
            number=number,
            folder=folder,
            first=first,
            stop=min(first + SIZE, len(found)),
        )
        for number, first in enumerate(range(0, len(found), SIZE))
    )


def _of(recomputation: int) -> LeasedQuerySet[RecomputationShare]:
    rows: LeasedQuerySet[RecomputationShare]
    rows = RecomputationShare.objects.filter(recomputation=recomputation)
    return rows
