"""An import shared out: who takes in which pictures, and whose turn it is.

The pictures of a source are counted off into shares. Workers read and decode shares side by side,
but store them one after another, in the order of the source: so near-duplicates, ids and the report
are the same however many workers there are. What the source says is asked at the end, when all
pictures are stored, in any order.

Claim, don't lock: a share is leased, and whoever waits for one whose worker died takes it over.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now

from labeling import lease
from labeling.imports.share_outcomes import ShareOutcome
from labeling.models import Import, ImportShare, LeaseLost
from labeling.models.lease import LeasedQuerySet

SIZE = 500  # pictures of a share
ATTEMPTS = 3  # after which a share whose workers died is given up
LOOK_AFTER = 0.01, 0.25  # seconds until another look at whether others are done; longer each time
RENEW_EVERY = 1.0  # seconds between two notes of how far an import is, at least

State = ImportShare.State
_HOLD = """
SELECT FROM labeling_importshare AS share JOIN labeling_import AS import ON import.id = record_id
WHERE share.id = %s AND share.lease_token = %s AND import.state <> ALL(%s)
FOR SHARE OF share, import
"""
ENDED = [
    *(Import.State.DONE, Import.State.FAILED, Import.State.CANCELLED),
    *(Import.State.UNDOING, Import.State.UNDONE),
]


@dataclass(eq=False)
class Held:
    """A share that this process is at, and what has become of its pictures so far."""

    row: ImportShare
    outcome: ShareOutcome = field(default_factory=ShareOutcome)
    looked_at: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether an earlier attempt may have stored some of its pictures."""
        return self.row.attempts > 1


def share_out(record: Import, pictures: int) -> None:
    """Count off the pictures of an import, unless they are already."""
    with transaction.atomic():
        locked = Import.objects.select_for_update(no_key=True).get(pk=record.pk)
        count = max(1, -(-pictures // SIZE))
        if locked.shares.count() == count:
            return
        locked.shares.all().delete()
        begun = int(locked.images.exists())  # by an attempt of which nothing else is kept
        ImportShare.objects.bulk_create(
            ImportShare(record=locked, number=number, first=number * SIZE, attempts=begun)
            for number in range(count)
        )


def free(record: Import) -> None:
    """Take back the shares from whoever was at them, for an import that one process carries out."""
    undone = _of(record).exclude(state=State.DONE)
    undone.filter(attempts__gt=1).revoke(attempts=1)
    undone.revoke()


def forget(record: Import) -> None:
    """Delete the shares of an import that has ended, or is read again."""
    record.shares.all().delete()


def acquire(record: Import, state: State) -> Held | None:
    """Lease the first free share in a state; None where there is none."""
    rows = _of(record).filter(state=state, attempts__lt=ATTEMPTS).order_by("number")
    return _held(rows.acquire_first(attempts=F("attempts") + 1))


def take_over(record: Import, before: Held, state: State) -> Held | None:
    """Lease the first share of a state before another one, if its worker is gone.

    Raises LeaseLost where nobody will ever be done with it.
    """
    rows = _of(record).filter(state=state, number__lt=before.row.number)
    gone = rows.free().order_by("number").first()
    if gone is None:
        return None
    if gone.attempts >= ATTEMPTS:
        raise LeaseLost(f"{gone} was given up.")
    return _held(rows.acquire(gone.pk, attempts=F("attempts") + 1))


def is_turn(record: Import, held: Held, state: State) -> bool:
    """Whether no share before another one is in that state any more."""
    return not _of(record).filter(state=state, number__lt=held.row.number).exists()


def hold(held: Held) -> None:
    """Keep a share, and its import from being ended, until the transaction is over.

    Raises LeaseLost where it was ended, or where somebody else is at the share.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [held.row.pk, held.row.lease_token, list(map(str, ENDED))])
        if not cursor.rowcount:
            raise LeaseLost(f"The import was ended, or somebody else is at {held.row}.")


def end(held: Held, state: State) -> None:
    """Write down what became of a share, and give it back. Raises LeaseLost."""
    held.row.release(state=state, outcome=held.outcome.packed(), looked_at=held.looked_at)


def give_back(held: Held) -> None:
    """Let somebody else be at a share, as if nobody had begun it."""
    with suppress(LeaseLost):
        lease.give_back(held.row, attempts=held.row.attempts - 1)


def note_progress(record: Import, held: Held) -> int:
    """Note how far a share is; return how many pictures of the import were looked at.

    Raises LeaseLost where the share is gone.
    """
    if not ImportShare.objects.filter(pk=held.row.pk).update(looked_at=held.looked_at):
        raise LeaseLost(f"The import {record} was ended.")
    sums = ImportShare.objects.filter(record=OuterRef("pk")).order_by().values("record")
    total = Subquery(sums.annotate(total=Sum("looked_at")).values("total"))
    done = Coalesce(total, F("done"))  # of one that is being ended
    Import.objects.filter(pk=record.pk).update(done=done, heartbeat_at=Now())
    return looked_at(record)


def looked_at(record: Import) -> int:
    """Return how many pictures of an import were looked at."""
    return _of(record).aggregate(total=Sum("looked_at"))["total"] or 0


def left(record: Import, *states: State) -> bool:
    """Whether any share is in one of these states."""
    return _of(record).filter(state__in=states).exists()


def has_work(record: Import) -> bool:
    """Whether somebody may be at an import now: at a share, or at what is left once all are done.

    Nothing is asked before all is stored.
    """
    if left(record, State.WAITING):
        return _of(record).filter(state=State.WAITING).free().exists()
    if left(record, State.STORED):
        return _of(record).filter(state=State.STORED).free().exists()
    return record.shares.exists()


def lost() -> QuerySet[ImportShare]:
    """Return the shares whose workers died too often."""
    undone = ImportShare.objects.exclude(state=State.DONE)
    lost: QuerySet[ImportShare] = undone.filter(attempts__gte=ATTEMPTS).expired()
    return lost


def kept(held: set[Held]) -> AbstractContextManager[None]:
    """Renew the leases of shares, which may change meanwhile, during the block."""
    return lease.all_kept(lambda: [each.row for each in list(held)], ImportShare.lease_duration)


def wait(record: Import, since: float) -> None:
    """Wait a moment before looking again whose turn it is.

    since: when the waiting began, by the monotonic clock: the pauses grow with it. Raises LeaseLost
    where the import has ended, or nobody will ever be done with a share of it.
    """
    if not Import.objects.filter(pk=record.pk).exclude(state__in=ENDED).exists():
        raise LeaseLost(f"The import {record} was ended.")
    if lost().filter(record=record.pk).exists():
        raise LeaseLost(f"A share of the import {record} is given up.")
    shortest, longest = LOOK_AFTER
    time.sleep(max(shortest, min(longest, (time.monotonic() - since) / 3)))


def outcomes(record: Import) -> Iterator[ShareOutcome]:
    """Yield what became of the shares of an import, in the order of the source."""
    rows = _of(record).order_by("number").values_list("outcome", flat=True)
    for outcome in rows.iterator(chunk_size=20):
        yield ShareOutcome.unpacked(bytes(outcome))


def _held(row: ImportShare | None) -> Held | None:
    return None if row is None else Held(row, ShareOutcome.unpacked(bytes(row.outcome)))


def _of(record: Import) -> LeasedQuerySet[ImportShare]:
    rows: LeasedQuerySet[ImportShare] = ImportShare.objects.filter(record=record.pk)
    return rows
