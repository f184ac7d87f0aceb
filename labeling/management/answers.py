"""Import a file of answers or of gold from a command: read, store, and say what became of it."""

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from labeling import lease
from labeling.imports import jobs as import_jobs
from labeling.imports.answers import jobs
from labeling.imports.answers.entries import AnswersError
from labeling.imports.answers.options import Options, parse_columns
from labeling.imports.answers.reading import Reader
from labeling.imports.answers.report import AnswersReport, in_words
from labeling.imports.texts import shown
from labeling.management.progress import meter
from labeling.models import Import, LeaseLost, Project
from labeling.models.imports import NAME_LENGTH
from labeling.numbers import count

SOURCE_LENGTH = 400
GO_ON = "Import the same file again to go on."
State = Import.State


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options that both commands have."""
    parser.add_argument("--project", required=True, help="its short name, as in addresses")
    parser.add_argument(
        "--columns", default="", metavar="ROLE=NAME,…", help="which column holds what: task=image"
    )
    parser.add_argument(
        "--concept", default="", help="of which all answers are, where they are yes and no alone"
    )
    parser.add_argument("--encoding", default="", help="of texts that are not UTF-8: cp1252")
    parser.add_argument(
        "--strict", action="store_true", help="import nothing where anything is refused"
    )


def import_file(
    command: BaseCommand,
    *,
    path: Path,
    slug: str,
    kind: Import.Kind,
    by: User | None = None,
    worker: str = "",
    crowd: str = "",
    **options: Any,
) -> Import:
    """Import a file, and print what became of it. Raises CommandError."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise CommandError(f"There is no project {slug!r}.")
    try:
        chosen = Options.of(
            {
                **parse_columns(options["columns"]),
                "concept_name": options["concept"],
                "worker_name": worker,
                "crowd": crowd,
                "encoding": options["encoding"],
                "strict": options["strict"],
            }
        )
        reader = jobs.read_path(path, chosen, gold=kind == Import.Kind.GOLD)
        record = _record(project, path, kind, chosen, by)
        report = _execute(record, reader, by)
    except AnswersError as error:
        raise CommandError(shown(str(error))) from error
    except LeaseLost as error:
        raise CommandError(f"{import_jobs.TAKEN_FOR_STOPPED} {GO_ON}") from error
    except KeyboardInterrupt:
        raise CommandError(f"Stopped. {GO_ON}") from None
    _say(command, record, report, name=str(path))
    return record


def _record(
    project: Project, path: Path, kind: Import.Kind, options: Options, by: User | None
) -> Import:
    """Return a new row, leased, for the import of a file."""
    import_jobs.fail_lost_commands(since=timedelta())
    full = str(path.resolve())
    with transaction.atomic():  # nobody else can take the row before it is leased
        record = Import.objects.create(
            project=project,
            kind=kind,
            state=State.IMPORTING,
            name=Path(full).name[:NAME_LENGTH],
            source=full[-SOURCE_LENGTH:],
            options=options.as_json(),
            requested_by=by,
        )
        held: Import | None = Import.objects.acquire(record.pk, attempts=1)
    assert held is not None
    return held


def _execute(record: Import, reader: Reader, by: User | None) -> AnswersReport:
    try:
        with lease.kept(record), meter("answers", 0) as show:

            def renew(done: int) -> None:
                show(done)
                record.renew(done=done)

            report = jobs.execute(record, renew=renew, by=by, reader=reader)
    except BaseException as error:
        if not isinstance(error, LeaseLost):
            record.release(state=State.FAILED, error=str(error) or GO_ON)
        raise
    record.release(state=State.DONE, error="", finished_at=timezone.now())
    return report


def _say(command: BaseCommand, record: Import, report: AnswersReport, *, name: str) -> None:
    """Print remarks, what was refused, and the counts. Raises CommandError if nothing was taken."""
    for remark in report.remarks:
        command.stdout.write(shown(remark))
    for line in jobs.named(report.refused, name=name):
        command.stderr.write(shown(line))
    people = f"{report.workers:,} {'person' if report.workers == 1 else 'people'}"
    who = f" by {people}" if record.kind == Import.Kind.ANSWERS else ""
    changed = f" {report.changed:,} of the new were known otherwise." if report.changed else ""
    command.stdout.write(
        f"{in_words(record.counts)};{who} about {count(report.pictures, 'picture')}.{changed}"
    )
    command.stdout.write(f"To take the import back: tessera undo_import {record.pk}")
    if report.refused and not report.new.total() + report.known.total():
        raise CommandError("Nothing could be taken: all was refused.")
