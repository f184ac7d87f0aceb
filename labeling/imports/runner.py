"""The way of an upload after its last byte: read, chosen, imported; cancelled, tried again, undone.

A worker carries out one step at a time under the row's lease, and another goes on where one died.
Pictures are taken in by several workers at once, share by share (`shares`). An import by the
command has no uploaded files and is the command's own.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from labeling import audit, database_errors, lease
from labeling.concepts import ConceptError
from labeling.concepts.names import clean
from labeling.decoding.pool import PoolError
from labeling.imports import (
    bucket_files,
    jobs,
    plans,
    publishing,
    shares,
    staging,
    texts,
    undo,
    upload_members,
    uploads,
    urls,
)
from labeling.imports.answers import jobs as answers_jobs
from labeling.imports.members import SourceError
from labeling.imports.options import OptionError, Options
from labeling.imports.plans import Plan
from labeling.imports.uploads import UploadConflict, UploadError
from labeling.models import Event, Import, ImportShare, LeaseLost, Project, UploadedFile
from labeling.models.lease import LeasedQuerySet
from labeling.models.projects import name_key
from labeling.stored_folders.errors import StorageAway, StorageFull

logger = logging.getLogger(__name__)
ATTEMPTS = 3  # after which an import whose workers died is given up
CHOICE_KEPT = timedelta(days=7)  # how long the files of one that nobody chooses for are kept
FAILED_KEPT = timedelta(days=1)  # … and those of one that failed, which may be tried again

State = Import.State
OnShared = Callable[[Import], None]
T = TypeVar("T")
WORK = (State.FETCHING, State.READING, State.IMPORTING)
FULL = "There is no room left to store it. It goes on by itself once there is."
UNFINISHED = (State.UPLOADING, State.CHOOSING, *WORK)


def waiting() -> LeasedQuerySet[Import]:
    """Return the imports that a worker may take up, the oldest first."""
    return _work().free().order_by("pk")


def advance(record: Import, *, on_shared: OnShared = lambda record: None) -> Import | None:
    """Carry out the next step of an import; return its row as it is then.

    Return None where nothing is to be done now, or others are at it. What is wrong with the source
    is not raised: the state is then "failed", with the reason in `error`. A storage or a database
    that is away or full is no fault: `error` says so, and the step is tried again. on_shared:
    called once an import is shared out, so that other workers take part. Raises LeaseLost where
    somebody else took over, or cancelled it.
    """
    if _is_shared(record):
        return _take_part(record)
    held = _work().acquire(
        record.pk, attempts=F("attempts") + 1, claimed_at=Now(), done=0, error=""
    )
    if held is None:
        return None
    if held.kind == Import.Kind.PICTURES and held.state == State.IMPORTING:
        return _share_out(held, on_shared)
    steps = {State.FETCHING: _fetch, State.READING: _read, State.IMPORTING: _import}
    fields = _carried_out(held, steps[State(held.state)])
    if fields is None:
        return None if held.error and held.state in WORK else held
    if fields["state"] == State.DONE:
        return _done(held)
    held.release(attempts=0, **fields)
    return held


def _carried_out(held: Import, step: Callable[[Import], T]) -> T | None:
    """Return what a step returns; None where it failed, or is put off."""
    try:
        with lease.kept(held):
            return step(held)
    except LeaseLost:
        raise
    except Exception as error:
        if message := _put_off(error):
            lease.give_back(held, attempts=held.attempts - 1, error=message)
        else:
            _fail(held, error)
        return None
    except BaseException:  # this process must stop: another may go on at once
        with suppress(LeaseLost):
            held.release(attempts=held.attempts - 1)
        raise


def _share_out(held: Import, on_shared: OnShared) -> Import | None:
    """Share out the pictures of an import, and take part in it."""

    def step(held: Import) -> tuple[jobs.Source, Plan]:
        source = jobs.Source.of(held, upload_members.members(held))
        return source, jobs.begin(source, concepts=held.concepts or [])

    begun = _carried_out(held, step)
    if begun is None:
        return None if held.state == State.IMPORTING else held
    held.release(attempts=0)
    on_shared(held)
    return _take_part(held, *begun)


def _take_part(
    record: Import, source: jobs.Source | None = None, plan: Plan | None = None
) -> Import | None:
    """Take in shares of an import; return its row if nothing is left of it then."""
    if not shares.has_work(record):
        return None
    try:
        if source is None or plan is None:
            record = Import.objects.select_related("project").get(pk=record.pk)
            source = jobs.Source.of(record, upload_members.members(record))
            plan = plans.read(record=record, index=source.index, chosen=record.concepts or [])
        if not jobs.take_part(source, plan, renew=lambda done: None):
            return None
    except LeaseLost:
        if _is_done(record):  # by the others
            return None
        raise
    except Exception as error:
        if message := _put_off(error):
            _importing(record).update(error=message)
            return None
        _fail_shared(record, error)
        return Import.objects.filter(pk=record.pk).first()
    return _finish(source, plan)


def _finish(source: jobs.Source, plan: Plan) -> Import | None:
    """End an import whose shares are all done; None where somebody else does."""
    record = source.record
    held = _work().acquire(record.pk, attempts=F("attempts") + 1, error="")
    if held is None:
        if not _importing(record).exists() and not _is_done(record):
            raise LeaseLost(f"The import {record} was ended.")
        return None

    def step(held: Import) -> Import:
        jobs.finish(replace(source, record=held), plan)
        held.renew(done=source.index.images)
        return held

    if _carried_out(held, step) is None:
        return None if held.state == State.IMPORTING else held
    return _done(held)


def _done(held: Import) -> Import:
    publishing.finish(held)
    held.state = State.DONE
    uploads.remove_files(held)
    return held


def _is_shared(record: Import) -> bool:
    """Whether an import's pictures are shared out among workers."""
    return _importing(record).filter(shares__isnull=False).exists()


def _is_done(record: Import) -> bool:
    return Import.objects.filter(pk=record.pk, state=State.DONE).exists()


def _importing(record: Import) -> LeasedQuerySet[Import]:
    return _work().filter(pk=record.pk, state=State.IMPORTING, kind=Import.Kind.PICTURES)


def choose(*, record: Import, by: AbstractBaseUser, names: Sequence[str]) -> Import:
    """Import with these concepts; those that the project lacks are created. Raises `UploadError`.

    names: none means that nothing new is asked about the pictures.
    """
    chosen = clean_names(names)
    with transaction.atomic():
        pictures = Import.objects.filter(kind=Import.Kind.PICTURES)
        choosing = pictures.filter(pk=record.pk, state=State.CHOOSING)
        if not choosing.update(state=State.IMPORTING, concepts=chosen, attempts=0):
            raise UploadConflict("It is not waiting for concepts to be chosen: look at it again.")
        record.refresh_from_db()
        word = "concept" if len(chosen) == 1 else "concepts"
        _record(record, f"Chose {len(chosen):,} {word} for the import of “{record}”.", by)
    return record


def read_again(*, record: Import, by: AbstractBaseUser, options: Mapping[str, Any]) -> Import:
    """Read a source again by other options, before its concepts are chosen.

    So one can be read that failed for holding no picture, as where all names are in a code page.
    options: as `Options.of` takes them. Raises `UploadError`.
    """
    checked = checked_options(options).as_json()
    with transaction.atomic():
        has_files = Exists(UploadedFile.objects.filter(upload=OuterRef("pk")))
        unread = Q(state=State.FAILED, pictures=0, kind=Import.Kind.PICTURES) & Q(has_files)
        waiting = Import.objects.filter(
            Q(state=State.CHOOSING, kind=Import.Kind.PICTURES) | unread, pk=record.pk, source=""
        )
        unfetched = When(~Q(address="") & Q(state=State.FAILED), then=Value(State.FETCHING))
        state = Case(unfetched, default=Value(State.READING))
        if not waiting.update(state=state, options=checked, attempts=0, error="", finished_at=None):
            raise UploadConflict("It is not waiting for anything to be chosen: look at it again.")
        record.refresh_from_db()
        _record(record, f"Chose how the import of “{record}” is read.", by)
    return record


def checked_options(options: Mapping[str, Any]) -> Options:
    """Return how an import is to be read. Raises `UploadError`."""
    try:
        return Options.of(options)
    except OptionError as error:
        raise UploadError(str(error)) from error


def clean_names(names: Sequence[str]) -> list[str]:
    """Return each name of a concept once, as it is stored. Raises `UploadError`."""
    try:
        chosen = {name_key(name): clean(name) for name in names}
    except ConceptError as error:
        raise UploadError(str(error)) from error
    if len(chosen) > jobs.CONCEPTS_MAX:
        raise UploadError(f"{jobs.CONCEPTS_MAX:,} concepts are the limit of one import.")
    return list(chosen.values())


def cancel(*, record: Import, by: AbstractBaseUser | None, reason: str = "") -> Import:
    """End an import; what it has taken stays, unseen, until it is undone. Raises `UploadConflict`.

    by: None where it was abandoned, with a reason.
    """
    with transaction.atomic():
        rows = Import.objects.filter(pk=record.pk, state__in=UNFINISHED, source="")
        unfinished = rows.exclude(folder="")
        if not unfinished.revoke(state=State.CANCELLED, finished_at=Now(), error=reason):
            raise UploadConflict("The import has ended already.")
        record.refresh_from_db()
        uploads.remove_files(record)
        _record(record, f"Cancelled the import of “{record}”. {reason}".strip(), by)
    return record


def retry(*, record: Import, by: AbstractBaseUser) -> Import:
    """Try an import that failed again, from where it failed. Raises `UploadConflict`."""
    with transaction.atomic():
        rows = Import.objects.filter(pk=record.pk, state=State.FAILED, source="")
        failed = rows.exclude(folder="")
        locked = failed.select_for_update(no_key=True).first()
        if locked is None:
            raise UploadConflict("It has not failed: look at it again.")
        has_files = locked.uploaded_files.exists()
        if not has_files and not locked.address:
            raise UploadConflict("Its files are deleted by now: upload them again.")
        chosen = locked.concepts is not None or locked.kind != Import.Kind.PICTURES
        was_read = locked.pictures > 0 and chosen and has_files
        unread = State.FETCHING if locked.address else State.READING
        locked.state = State.IMPORTING if was_read else unread
        locked.attempts, locked.error, locked.finished_at = 0, "", None
        locked.save(update_fields=["state", "attempts", "error", "finished_at"])
        shares.free(locked)
        _record(locked, f"Tried the import of “{locked}” again.", by)
    return locked


def undo_later(*, record: Import, by: AbstractBaseUser) -> Import:
    """Have a worker take an import back whole (`undo.run`). Raises `UndoError`."""
    with transaction.atomic():
        record = undo.begin(record, by)
        uploads.remove_files(record)
    return record


def give_up_lost() -> int:
    """Fail the imports whose workers died too often; return how many."""
    message = f"Its worker was lost {ATTEMPTS} times. Is there enough memory? Try it again."
    count = 0
    for share in shares.lost().select_related("record"):
        if _importing(share.record).exists():
            _end_failed(share.record, message)
            count += 1
    for record in _work().filter(attempts__gte=ATTEMPTS).expired():
        with transaction.atomic():
            lost = _work().filter(pk=record.pk, attempts__gte=ATTEMPTS).expired()
            if lost.revoke(state=State.FAILED, finished_at=Now(), error=message):
                _record(record, f"The import of “{record}” failed: {message}", None)
                count += 1
    return count


def forget_abandoned() -> None:
    """Cancel the uploads that nobody goes on with, and delete the files that nobody needs."""
    now = timezone.now()
    uploading = Q(state=State.UPLOADING, active_at__lt=now - uploads.ABANDONED_AFTER)
    choosing = Q(state=State.CHOOSING, active_at__lt=now - CHOICE_KEPT)
    for record in Import.objects.filter(uploading | choosing):
        with suppress(UploadConflict):  # somebody went on, or was quicker
            cancel(record=record, by=None, reason="Nobody went on with it.")
    old = Q(state=State.FAILED, finished_at__lt=now - FAILED_KEPT)
    left = Q(Exists(UploadedFile.objects.filter(upload=OuterRef("pk"))))
    left |= Q(Exists(ImportShare.objects.filter(record=OuterRef("pk"))))
    for record in Import.objects.filter(old & left):
        uploads.remove_files(record)
    kept = Import.objects.filter(Q(state__in=UNFINISHED) | Q(state=State.FAILED) & ~old)
    staging.remove_orphans(set(kept.values_list("folder", flat=True)))
    urls.forget_old()


def _work() -> LeasedQuerySet[Import]:
    """Return the imports that workers have a step of: none that a command carries out."""
    work: LeasedQuerySet[Import] = Import.objects.filter(state__in=WORK, source="")
    return work.exclude(folder="")


def _fetch(held: Import) -> dict[str, Any]:
    """Fetch what a bucket holds; return what is to be set."""
    bucket_files.fetch(held)
    return {"state": State.READING}


def _read(held: Import) -> dict[str, Any]:
    """Look at what a source holds; return what is to be set."""
    if held.kind != Import.Kind.PICTURES:
        answers_jobs.prepare(held)
        return {"state": State.IMPORTING if held.start_at_once else State.CHOOSING}
    shares.forget(held)
    jobs.prepare(held, upload_members.members(held))
    if held.concepts is None and held.start_at_once:
        held.concepts = [each["name"] for each in held.candidates if each["ticked"]]
    state = State.CHOOSING if held.concepts is None else State.IMPORTING
    return {"state": state, "concepts": held.concepts}


def _import(held: Import) -> dict[str, Any]:
    """Import answers or gold; return what is to be set."""

    def renew(done: int) -> None:
        held.renew(done=done)

    answers_jobs.execute(held, renew=renew, by=held.requested_by)
    return {"state": State.DONE}


def _put_off(error: Exception) -> str:
    """Return why a step has to be tried again later; empty: it is no use."""
    if reason := database_errors.why(error):
        return reason
    if isinstance(error, StorageFull):
        return FULL
    if isinstance(error, StorageAway):
        return f"{error} It goes on by itself."
    if isinstance(error, staging.DiskFull) or getattr(error, "errno", None) in staging.NO_ROOM:
        return FULL
    return ""


def _fail(held: Import, error: Exception) -> None:
    """Write down why a step failed; one of a project that was deleted meanwhile is gone."""
    if not Project.objects.filter(pk=held.project_id).exists():
        staging.remove(held)
        return
    message = _reason(held, error)
    with suppress(LeaseLost), transaction.atomic():
        held.release(state=State.FAILED, error=message, finished_at=timezone.now())
        _record(held, f"The import of “{held}” failed: {message}", None)


def _fail_shared(record: Import, error: Exception) -> None:
    """Write down why an import failed at which several workers may be."""
    if not Project.objects.filter(pk=record.project_id).exists():
        staging.remove(record)
        return
    _end_failed(record, _reason(record, error))


def _end_failed(record: Import, message: str) -> None:
    with transaction.atomic():
        ended = _importing(record)
        if ended.revoke(state=State.FAILED, finished_at=Now(), error=message):
            shares.free(record)
            _record(record, f"The import of “{record}” failed: {message}", None)


def _reason(record: Import, error: Exception) -> str:
    if isinstance(error, SourceError | PoolError):
        return texts.shown(str(error))
    if isinstance(error, OSError):
        return f"The server could not store it: {error.strerror or error}. Try it again."
    logger.exception("The import no. %s failed.", record.pk, exc_info=error)
    return "The server failed over it, and has noted why. Try it again."


def _record(record: Import, message: str, by: AbstractBaseUser | None) -> None:
    audit.record(project=record.project, kind=Event.Kind.IMPORT, message=message, by=by, row=record)
