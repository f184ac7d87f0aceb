"""Uploads: pictures that come in from a browser or a script in parts, and may be interrupted.

Begin, announce the files, send parts, complete; then a worker reads them (`runner`). Every step may
be repeated: an answer that was lost is asked for again, and what has come already changes nothing.
The row of the import is locked by each step, so that the steps of one upload take turns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files import File
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.template.defaultfilters import pluralize

from labeling import audit
from labeling.imports import shares, staging, upload_paths
from labeling.imports.options import DEFAULTS, Options
from labeling.imports.staging import Piece
from labeling.models import Event, Import, Project, UploadedFile
from labeling.models.imports import NAME_LENGTH

FILES_AT_ONCE = 1_000  # that one call announces
PARTS_AT_ONCE = 100  # that one call sends
NAMED = 20  # missing files that an error names
ABANDONED_AFTER = timedelta(days=1)

State = Import.State


class UploadError(ValueError):
    """The upload cannot go on like this; the message says what to do."""


class UploadConflict(UploadError):
    """It is not the time for this step, or another has done it."""


class FilesMissing(UploadConflict):
    """It is completed before all has come; the message names what has not."""


class UploadTooLarge(UploadError):
    """More than the settings allow."""


class PartMissing(UploadError):
    """A part begins after what has come; the message says where to go on."""


@dataclass(frozen=True)
class Announced:
    """A file that is going to be sent: its path, bytes, and milliseconds since 1970."""

    path: str
    size: int
    modified: int = 0


@dataclass(frozen=True)
class Part:
    """Bytes of the file of this number, from an offset on."""

    number: int
    offset: int
    data: "File[bytes]"

    @property
    def end(self) -> int:
        return self.offset + self.data.size


def begin(
    *,
    project: Project,
    by: AbstractBaseUser,
    name: str,
    fingerprint: str = "",
    files: int = 0,
    size: int = 0,
) -> tuple[Import, bool]:
    """Begin an upload, or find the one to go on with; return it and whether it is new.

    fingerprint: of the list of files; with it, an unfinished upload of the same list by the same
    user goes on. files, size: how many files and bytes will come, as far as that is known: what
    will not fit is refused at once. Raises `UploadError` and `DiskFull`.
    """
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        _check_open(project)
        unfinished = project.imports.filter(state=State.UPLOADING)
        same = unfinished.filter(requested_by=by.pk, fingerprint=fingerprint)
        if fingerprint and (record := same.first()):
            return record, False
        if unfinished.count() >= settings.UPLOAD_MAX_UNFINISHED:
            raise UploadConflict(
                f"{settings.UPLOAD_MAX_UNFINISHED} uploads of this project are unfinished: "
                "finish or cancel one of them."
            )
        check_limits(files, size)
        staging.check_room(size)
        record = Import.objects.create(
            project=project,
            name=upload_paths.printable(name)[:NAME_LENGTH],
            fingerprint=fingerprint,
            requested_by_id=by.pk,
        )
        record.folder = staging.new_folder(record)
        record.save(update_fields=["folder"])
    return record, True


def announce(*, record: Import, files: Sequence[Announced]) -> list[UploadedFile | None]:
    """Add files to an upload; return their rows in the same order, None for what is passed over.

    A row tells its number, what has come of it, and why it is refused. One that was announced
    before goes on where it was, unless it has changed since. Raises `UploadError` and `DiskFull`.
    """
    if len(files) > FILES_AT_ONCE:
        raise UploadError(f"Announce {FILES_AT_ONCE:,} files at a time at most.")
    with transaction.atomic():
        record = _locked(record)
        checked = [upload_paths.check(file.path, file.size) for file in files]
        rows = _rows_of(record, {each.path for each in checked if each})
        new: list[UploadedFile] = []
        restarted: list[int] = []
        for file, each in zip(files, checked, strict=True):
            if each is None:
                continue
            if row := rows.get(each.path):
                if _restart_if_changed(record, row, file, each.problem):
                    restarted.append(row.number)
                continue
            row = UploadedFile(
                upload=record,
                number=record.files,
                path=each.path,
                size=file.size,
                modified=file.modified,
                problem=each.problem,
            )
            rows[each.path] = row
            new.append(row)
            record.files += 1
            record.bytes += 0 if each.problem else file.size
        check_limits(record.files, record.bytes)
        staging.check_room(record.bytes - record.received)
        UploadedFile.objects.bulk_create(new)
        _save(record)
        for number in restarted:  # once nothing can refuse the whole any more
            staging.delete(record, number)
    return [rows[each.path] if each else None for each in checked]


def receive(*, record: Import, parts: Sequence[Part]) -> list[UploadedFile]:
    """Store parts; return the rows of their files, which tell what has come.

    A part that has come before changes nothing. Raises `UploadError`, `PartMissing` for one that
    begins after what has come, and `DiskFull`; then none of the parts counts.
    """
    if len(parts) > PARTS_AT_ONCE:
        raise UploadError(f"Send {PARTS_AT_ONCE} parts at a time at most.")
    with transaction.atomic():
        record = _locked(record)
        numbers = {part.number for part in parts}
        rows = {row.number: row for row in record.uploaded_files.filter(number__in=numbers)}
        staging.check_room(sum(part.data.size for part in parts))
        staging.write(record, _accepted(record, parts, rows))
        UploadedFile.objects.bulk_update(rows.values(), ["received"])
        _save(record)
    return [rows[number] for number in sorted(numbers)]


def complete(
    *,
    record: Import,
    by: AbstractBaseUser,
    start_at_once: bool = False,
    concepts: Sequence[str] | None = None,
    options: Options = DEFAULTS,
) -> Import:
    """Hand an upload to the workers, once all has come; return its row.

    start_at_once: import with the concepts that are ticked, without waiting for somebody to
    choose; concepts: import with these; options: how it is read. An upload that is complete
    already stays as it is. Raises `UploadError`.
    """
    with transaction.atomic():
        locked = _lock(record)
        if locked.state not in {State.UPLOADING, State.CANCELLED}:
            return locked
        record = _locked(record)
        _check_open(record.project)
        _check_complete(record)
        record.state = State.READING
        record.start_at_once = start_at_once
        record.concepts = None if concepts is None else list(concepts)
        record.options = options.as_json()
        record.save(update_fields=["state", "start_at_once", "concepts", "options"])
        audit.record(
            project=record.project,
            kind=Event.Kind.IMPORT,
            message=f"Uploaded “{record}”: {record.files:,} file{pluralize(record.files)}, "
            f"{record.bytes:,} bytes.",
            by=by,
            row=record,
        )
    return record


def missing(record: Import) -> QuerySet[UploadedFile]:
    """Return the files of an upload of which something has not come, in their order."""
    rows = record.uploaded_files.filter(problem="", received__lt=F("size"))
    return rows.order_by("number")


def remove_files(record: Import) -> None:
    """Delete what was staged of an import that has ended, once the transaction is committed."""
    shares.forget(record)
    record.uploaded_files.all().delete()
    transaction.on_commit(partial(staging.remove, record))


def _lock(record: Import) -> Import:
    locked = Import.objects.select_for_update(no_key=True, of=("self",))
    row = locked.select_related("project").filter(pk=record.pk).first()
    if row is None:
        raise UploadConflict("The upload was deleted, with its project: begin another one.")
    return row


def _locked(record: Import) -> Import:
    """Return the row of an upload that is not complete, locked. Raises `UploadConflict`."""
    row = _lock(record)
    if row.state == State.CANCELLED:
        raise UploadConflict("The upload was cancelled: begin another one.")
    if row.state != State.UPLOADING:
        raise UploadConflict("The upload is complete: nothing can be added to it.")
    return row


def _save(record: Import) -> None:
    fields = {name: getattr(record, name) for name in ("files", "bytes", "received")}
    Import.objects.filter(pk=record.pk).update(active_at=Now(), **fields)


def _check_open(project: Project) -> None:
    if project.state == project.State.ARCHIVED:
        raise UploadConflict("The project is archived: open it again to add pictures.")


def check_limits(files: int, size: int) -> None:
    """Raise `UploadTooLarge` for more files, or more bytes, than one import may have."""
    if files > settings.UPLOAD_MAX_FILES:
        raise UploadTooLarge(
            f"{settings.UPLOAD_MAX_FILES:,} files are the limit of one import: send it in pieces."
        )
    if size > settings.UPLOAD_MAX_BYTES:
        raise UploadTooLarge(
            f"{settings.UPLOAD_MAX_BYTES:,} bytes are the limit of one import: send it in pieces."
        )


def _rows_of(record: Import, paths: set[str]) -> dict[str, UploadedFile]:
    return {row.path: row for row in record.uploaded_files.filter(path__in=paths)}


def _restart_if_changed(record: Import, row: UploadedFile, file: Announced, problem: str) -> bool:
    """Start a file over if it is another one by now: of another size, or changed since.

    Return whether it was; what has come of it is then to be deleted.
    """
    if row.pk is None or (row.size, row.modified) == (file.size, file.modified):
        return False
    record.bytes += (0 if problem else file.size) - (0 if row.problem else row.size)
    record.received -= row.received
    row.size, row.modified, row.received, row.problem = file.size, file.modified, 0, problem
    row.save(update_fields=["size", "modified", "received", "problem"])
    return True


def _accepted(
    record: Import, parts: Sequence[Part], rows: Mapping[int, UploadedFile]
) -> Iterator[Piece]:
    """Yield what is new of parts, and count in the rows what has come."""
    for part in parts:
        row = rows.get(part.number)
        if row is None:
            raise UploadError(f"There is no file no. {part.number}: announce it first.")
        if row.problem:
            raise UploadError(f"“{row}” is refused: {row.problem}.")
        if part.end > row.size:
            raise UploadError(f"“{row}” is larger than the {row.size:,} bytes that were announced.")
        if part.offset > row.received:
            raise PartMissing(f"Of “{row}” {row.received:,} bytes have come: go on from there.")
        if part.end > row.received:
            part.data.seek(row.received - part.offset)
            yield Piece(part.number, row.received, part.data.read())
            record.received += part.end - row.received
            row.received = part.end


def _check_complete(record: Import) -> None:
    if not record.uploaded_files.filter(problem="").exists():
        reasons = sorted(set(record.uploaded_files.values_list("problem", flat=True)))
        raise UploadError(f"It holds no file that can be imported ({'; '.join(reasons[:5])}).")
    incomplete = missing(record)
    if count := incomplete.count():
        names = ", ".join(row.path for row in incomplete[:NAMED])
        more = f" and {count - NAMED:,} more" if count > NAMED else ""
        raise FilesMissing(f"Parts of {count:,} files are missing: {names}{more}.")
