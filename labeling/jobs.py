"""Carry out what a worker makes: one at a time by lease, again after a crash, written down."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar, cast

from django.contrib.auth.models import AbstractBaseUser
from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.db.models import F

from labeling import audit, database_errors, lease
from labeling.models import Event, Job, LeasedQuerySet, LeaseLost
from labeling.stored_folders import StorageAway
from labeling.stored_folders.errors import NO_ROOM

REPORT_EVERY = 2.0  # seconds between two renewals of the lease
PAUSE = timedelta(seconds=10)  # before a job that waits is tried again

OnProgress = Callable[[float], None]  # called with the share that is done, 0 to 1
J = TypeVar("J", bound=Job)


def waiting(model: type[J]) -> LeasedQuerySet[J]:
    """Return the jobs that are begun and that nobody carries out, the oldest first."""
    return _under_way(model).free().order_by("pk")


def acquire(job: J, **fields: Any) -> J | None:
    """Lease a job that is under way, and set fields; None where somebody else was first."""
    fields = {"attempts": F("attempts") + 1, "error": "", **fields}
    return _under_way(type(job)).acquire(job.pk, **fields)


def reason_of(error: Exception) -> str:
    """Return what an error says, or else its name."""
    return str(error) or type(error).__name__


def why_it_waits(error: Exception) -> str:
    """Return a sentence on what is wrong with this machine, storage or database, not the job."""
    if database_errors.is_full(error):
        return database_errors.FULL
    if isinstance(error, StorageAway):
        return str(error)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return "The disk is full: free some space. It goes on once there is room."
    return ""


def carry_out(
    held: Job,
    work: Callable[[], None],
    *,
    expected: tuple[type[Exception], ...],
    reason: Callable[[Exception], str] = reason_of,
) -> None:
    """Do the work of a job whose lease is held, or fail it.

    expected: errors of the data, which are written into the row and not raised. Where the storage
    is away, or a disk full, it waits, says why, and is tried again. Raises LeaseLost where
    somebody else took over. A process that must stop, or that lost the database, lets another go
    on at once.
    """
    try:
        work()
    except LeaseLost:
        raise
    except Exception as error:
        if (waits := why_it_waits(error)) and not connection.needs_rollback:
            lease.give_back(held, after=PAUSE, attempts=held.attempts - 1, error=waits)
            return
        if _is_of_database(error):
            if not connection.needs_rollback:
                with suppress(LeaseLost, Error):
                    lease.give_back(held, attempts=held.attempts - 1)
            raise
        if not connection.needs_rollback:
            _fail(held, reason(error))
        if not isinstance(error, expected):
            raise
    except BaseException:
        with suppress(LeaseLost):
            held.release(attempts=held.attempts - 1)
        raise


def give_up_lost(
    model: type[J], *, attempts: int, advice: str, on_given_up: Callable[[J], None]
) -> int:
    """Fail the jobs whose workers died so often; return how many.

    on_given_up: removes what those workers left.
    """
    lost = _under_way(model).filter(attempts__gte=attempts).expired()
    error = f"Its worker was lost {attempts} times. Is there enough memory? {advice}"
    given_up = 0
    for job in lost.select_related("project"):
        with transaction.atomic():
            if lost.filter(pk=job.pk).revoke(state=job.FAILED, error=error, **job.ENDED):
                record(job, f"failed: {error}")
                given_up += 1
        on_given_up(job)
    return given_up


def reporter(held: Job) -> OnProgress:
    """Return a function that renews the lease with the progress, every few seconds at most."""
    return lease.now_and_then(lambda share: held.renew(progress=share), seconds=REPORT_EVERY)


def record(job: Any, what: str, *, by: AbstractBaseUser | None = None) -> None:
    """Write into the history of its project what became of a job."""
    audit.record(
        project=job.project,
        kind=Event.Kind.SNAPSHOT,
        message=f"{job.title} {what.rstrip('.')}.",
        by=by,
        row=job,
    )


def _is_of_database(error: Exception) -> bool:
    """Whether an error is the database's, and no fault of the job."""
    return isinstance(error, InterfaceError | OperationalError) or bool(database_errors.why(error))


def _fail(held: Job, reason: str) -> None:
    with transaction.atomic():
        held.release(state=held.FAILED, error=reason, **held.ENDED)
        record(held, f"failed: {reason}")


def _under_way(model: type[J]) -> LeasedQuerySet[J]:
    rows = cast(LeasedQuerySet[J], model._default_manager.all())
    return rows.filter(state=model.UNDER_WAY)
