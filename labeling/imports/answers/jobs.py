"""An import of answers or of gold as a job: the same for a command, the API and the page.

`prepare` says how a file is read; `execute` stores what it holds. The caller holds the lease of the
`Import` row and sets its state.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.files import File
from django.db import transaction

from labeling import lease
from labeling.imports import outcomes, staging, upload_paths
from labeling.imports.answers import checking, crowds, reading, recording
from labeling.imports.answers.checking import Checked
from labeling.imports.answers.entries import AnswersConflict, AnswersError, Refused
from labeling.imports.answers.options import Options
from labeling.imports.answers.reading import SIZE_MAX, Reader
from labeling.imports.answers.recording import OPPOSITE
from labeling.imports.answers.report import AnswersReport, in_words
from labeling.imports.shares import RENEW_EVERY
from labeling.imports.staging import Piece
from labeling.models import Import, Project, Recomputation, UploadedFile
from labeling.models.imports import NAME_LENGTH

NAMED = 20  # refusals that a message names
SHOWN = 5  # entries by which somebody sees how a file is read
State = Import.State


def begin(
    *,
    project: Project,
    by: AbstractBaseUser,
    kind: Import.Kind,
    file: "File[bytes]",
    options: Options,
    start_at_once: bool,
) -> Import:
    """Store an uploaded file, and hand it to the workers. Raises AnswersError and DiskFull."""
    size = file.size or 0
    if size > SIZE_MAX:
        raise AnswersError(f"The file is larger than {SIZE_MAX:,} bytes: import it in parts.")
    crowds.check_shared(options.crowd, project, by)
    if project.state == Project.State.ARCHIVED:
        raise AnswersConflict("The project is archived: open it again to add anything.")
    staging.check_room(size)
    name = Path(file.name or "answers").name
    with transaction.atomic():
        record = Import.objects.create(
            project=project,
            kind=kind,
            name=upload_paths.printable(name)[:NAME_LENGTH],
            options=options.as_json(),
            start_at_once=start_at_once,
            requested_by_id=by.pk,
            files=1,
            bytes=size,
            received=size,
        )
        record.folder = staging.new_folder(record)
        record.state = State.READING
        UploadedFile.objects.create(
            upload=record, number=0, path=record.name, size=size, received=size
        )
        staging.write(record, [Piece(0, 0, file.read())])
        record.save(update_fields=["folder", "state"])
    return record


def prepare(record: Import) -> None:
    """Read a file, and save how it is read and what it says first. Raises AnswersError."""
    reader = read(record)
    entries = list(reader.entries())
    record.pictures = len(entries)
    record.reading = {
        "remark": reader.remark(),
        "columns": reader.names(),
        "sample": [_sample(entry) for entry in entries[:SHOWN]],
    }
    record.save(update_fields=["pictures", "reading"])


def execute(
    record: Import,
    *,
    renew: Callable[[int], None],
    by: AbstractBaseUser | None,
    reader: Reader | None = None,
) -> AnswersReport:
    """Store what a file holds; save the counts and the report.

    Answers are committed worker by worker: one that was stopped goes on where it was. Raises
    AnswersError: before anything is stored where the options are strict and an entry is refused.
    """
    options = Options.of(record.options)
    reader = reader or read(record)
    outcomes.start(record, record.get_kind_display())
    checked = checking.check(reader.entries(), project=record.project, options=options)
    crowd = crowds.crowd(record.project, reader.tool, options.crowd)
    about_workers = crowds.in_words(crowd, workers=len(checked.votes))
    checked.remarks[:0] = filter(None, (reader.remark(), about_workers))
    if options.strict:
        _check_strict(checked, crowd, name=record.name)
    report = AnswersReport(checked)
    record.pictures = sum(checked.read.values())
    record.save(update_fields=["pictures"])
    renew_now_and_then = lease.now_and_then(renew, seconds=RENEW_EVERY)
    recording.record(record, checked, report, crowd=crowd, renew=renew_now_and_then)
    recording.mark(record, checked, report, by)
    report.check()
    renew(record.pictures)
    Recomputation.objects.update_or_create(project=record.project, defaults={"requested": True})
    outcomes.finish(record, report, in_words(report.counts()))
    return report


def read(record: Import) -> Reader:
    """Return the reader of an import's file. Raises AnswersError."""
    try:
        path = Path(record.source) if record.source else staging.local(record, 0, record.bytes)
    except FileNotFoundError as error:
        raise AnswersError(f"{record} was lost on the server: upload it again.") from error
    return read_path(
        path, Options.of(record.options), gold=record.kind == Import.Kind.GOLD, name=record.name
    )


def read_path(path: Path, options: Options, *, gold: bool, name: str = "") -> Reader:
    """Return the reader of a file on this machine. Raises AnswersError."""
    try:
        if path.stat().st_size > SIZE_MAX:
            raise AnswersError(f"{name or path} is larger than {SIZE_MAX:,} bytes: split it.")
        data = path.read_bytes()
    except OSError as error:
        raise AnswersError(f"{name or path} cannot be read: {error.strerror}.") from error
    return reading.reader(data, options, name=name or str(path), gold=gold)


def confirm(*, record: Import, options: Options, by: AbstractBaseUser) -> Import:
    """Import a file that waits, with these options. Raises AnswersError."""
    crowds.check_shared(options.crowd, record.project, by)
    held = Import.objects.filter(pk=record.pk, state=State.CHOOSING)
    chosen = held.exclude(kind=Import.Kind.PICTURES)
    if not chosen.exists():
        raise AnswersConflict("It is not waiting for columns to be chosen: look at it again.")
    record.options = options.as_json()
    prepare(record)  # says what is wrong with the choice before it is made
    if not chosen.update(state=State.IMPORTING, options=record.options, attempts=0):
        raise AnswersConflict("It is not waiting for a choice: look at it again.")
    record.refresh_from_db()
    return record


def named(refused: list[Refused], *, name: str) -> list[str]:
    """Return the first refusals as lines that name file, place and column."""
    lines = []
    for where, column, reason, _ in refused[:NAMED]:
        place = f"{where}, column {column}" if column else where
        lines.append(f"{name}, {place}: {reason}.")
    if len(refused) > NAMED:
        lines.append(f"… and {len(refused) - NAMED:,} more: see the report.")
    return lines


def _check_strict(checked: Checked, crowd: str, *, name: str) -> None:
    refused = list(checked.refused)
    if not refused:
        refused = [
            Refused(vote.entry.where, vote.entry.column, OPPOSITE)
            for vote in recording.contradictions(checked, crowd=crowd)
        ]
    if refused:
        lines = " ".join(named(refused, name=name))
        raise AnswersError(f"Nothing was imported, since not all can be. {lines}")


def _sample(entry: Any) -> dict[str, str]:
    return {name: str(value) for name, value in entry._asdict().items()}
