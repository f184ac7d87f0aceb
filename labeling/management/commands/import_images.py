"""`import_images`: import the images of a folder, an archive or a bucket, with their metadata."""

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug
from django.db import transaction
from django.utils import timezone

from labeling import buckets, lease, projects
from labeling.buckets import BucketError
from labeling.decoding.pool import PoolError
from labeling.enqueue import enqueue_on_commit
from labeling.imports import (
    bucket_files,
    changes,
    concepts,
    declarations,
    jobs,
    ledger,
    pairs,
    publishing,
    staging,
    texts,
    upload_members,
    uploads,
    urls,
)
from labeling.imports import source as sources
from labeling.imports.members import SourceError
from labeling.imports.options import Column, Masks, Options, parse_columns, parse_texts
from labeling.imports.report import Outcome, Report
from labeling.imports.source import Members
from labeling.imports.source_index import SourceIndex
from labeling.imports.staging import DiskFull
from labeling.management import choices
from labeling.management.progress import meter
from labeling.models import Import, LeaseLost, Project
from labeling.models.projects import name_key
from labeling.numbers import count
from labeling.projects import Audience, ProjectError
from labeling.stored_folders import StorageAway
from labeling.tasks import fill_due_pools

NAMED = 20  # files rejected for one reason are named up to here
NO_CONCEPTS = (
    "The project has no concepts, so nobody is asked what its pictures show: "
    "name some with --concepts, or add them on the project's page."
)
DRAFT = (
    "The project {slug} is a draft, which asks nobody: publish it on its page, "
    "or with tessera project {slug} --publish"
)
PARTLY = 3  # the exit status of an import that is done, but not of all
CUT = "Not all was there to read: {names}. Get what is missing, and import it too."
GO_ON = "Import the same source again to go on."
CHANGED = (
    "The source, or how it is read, has changed since the import no. {number}, which was not "
    "finished: it is imported afresh. Pictures of no. {number} that are not in it any more stay "
    "unseen; to remove them: tessera undo_import {number}"
)
NAME_LENGTH, SOURCE_LENGTH = 200, 400
DECLARED = {  # of the whole import
    "vendor": "who wrote its texts, or sold them",
    "batch": "the vendor's name for it",
    "license": "of what says no other license itself",
    "url": "where it was had from",
    "price": "what all of it cost, such as 1250.50",
    "currency": "of the price: EUR, USD",
    "note": "what else is to be known of where it comes from",
}
State = Import.State


class Begun(NamedTuple):
    """What an import begins with: its source, and the address of the bucket, if it is one."""

    source: str
    fingerprint: str  # of what it holds, and how it is read
    address: str = ""

    @property
    def name(self) -> str:
        return (
            buckets.addresses.parse(self.address).name if self.address else Path(self.source).name
        )


class Command(BaseCommand):
    help = (
        "Import the pictures of a folder, a zip, a tar, a list of addresses, or a bucket "
        "(s3://bucket/prefix, where the server allows it). A folder's name is a concept, a text of "
        "the same name captions or keywords; tables, WebDataset, COCO, Label Studio, CVAT, Pascal "
        "VOC, YOLO, Argilla and doccano are recognised. What was imported before is left as it is. "
        "Exits with 0 if all was imported, 3 if a file or text was refused or an archive is cut "
        "off, 1 if it failed."
    )
    is_partial = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source",
            nargs="?",
            metavar="SOURCE",
            help="may be left out with --concepts: the concepts are added to the project",
        )
        parser.add_argument("--project", required=True, help="made if there is none of this name")
        parser.add_argument(
            "--concepts",
            metavar="FILE|NAMES",
            help="what to ask of each picture: names with commas between them, `all` that the "
            "source names, or a file with one a line: `bicycle` or `bicycle: a bicycle`",
        )
        parser.add_argument(
            "--texts",
            metavar="captions|keywords|mixed|auto",
            default="",
            help="what its texts are, where it does not say so: of all, or of some, as "
            "txt=keywords,caption=captions",
        )
        parser.add_argument(
            "--columns",
            metavar="ROLE=COLUMN",
            default="",
            help="which columns of its tables hold what: picture=path,caption=prompt; the roles "
            f"are {', '.join(Column)}",
        )
        parser.add_argument(
            "--encoding",
            default="",
            help="of its names and texts that are not UTF-8: cp932, gb18030, cp1252 …",
        )
        for name, words in DECLARED.items():
            parser.add_argument(f"--{name}", default="", help=words)
        parser.add_argument(
            "--masks",
            choices=list(Masks),
            default=Masks.REFUSED,
            help="what becomes of pictures that are masks of others by their names",
        )
        parser.add_argument(
            "--bits",
            type=int,
            default=0,
            help="how many of 16 bits its deep pictures use, where their files do not say so: 12",
        )
        parser.add_argument(
            "--pairs",
            action="store_true",
            help="its pictures are halves of pairs: in two folders of equally named pictures, or "
            f"named in its {pairs.TABLE}; people are asked whether they belong together",
        )
        parser.add_argument(
            "--first-halves",
            metavar="FOLDER",
            default="",
            help="with --pairs: which of the two folders holds the first halves, from which a "
            "model is to draw the others, where their names (a and b, 1-ink and 2-red) do not say",
        )
        parser.add_argument(
            "--no-input", action="store_true", help="ask nothing, not even on a terminal"
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a program: exit with 0 if all was imported, 1 if nothing was finished, else 3."""
        super().run_from_argv(argv)
        if self.is_partial:
            sys.exit(PARTLY)

    def handle(self, **options: Any) -> None:
        wanted = None if options["concepts"] is None else str(options["concepts"])
        slug = options["project"]
        try:
            if options["source"] is None:
                self._add_concepts(slug, wanted)
                return
            gc.freeze()  # what was loaded stays; fewer passes through what a batch leaves
            gc.set_threshold(50_000, 20, 20)
            may_ask = not options["no_input"] and sys.stdin.isatty() and sys.stdout.isatty()
            declared = declarations.clean({name: options[name] for name in DECLARED})
            reading = _options(options)
            self._import(options["source"], slug, wanted, reading, declared, may_ask=may_ask)
        except (SourceError, ProjectError, BucketError) as error:
            raise CommandError(texts.shown(str(error))) from error
        except PoolError as error:
            raise CommandError(f"{error} {GO_ON}") from error
        except OSError as error:
            raise CommandError(f"The pictures cannot be stored: {error}. {GO_ON}") from error
        except (DiskFull, StorageAway) as error:
            raise CommandError(f"{error} {GO_ON}") from error
        except LeaseLost as error:
            raise CommandError(f"{jobs.TAKEN_FOR_STOPPED} {GO_ON}") from error
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {GO_ON}") from None

    def _import(
        self,
        source: str,
        slug: str,
        wanted: str | None,
        options: Options,
        declared: dict[str, Any],
        *,
        may_ask: bool,
    ) -> None:
        slug = _checked(slug)
        if wanted not in (None, choices.ALL):
            choices.parse(wanted)  # before anything is made
        if buckets.addresses.is_address(source) and not options.pairs:
            address = str(bucket_files.place_of(source).address)
            record = self._begun(
                slug, Begun(address, changes.of_options(options), address), options, declared
            )
            with _failing(record), lease.kept(record):
                members = self._fetched(record)
                index = jobs.read(members, name=address, options=options)
                report = self._execute(record, members, index, wanted, may_ask=may_ask)
        else:
            path = Path(source)
            if options.pairs and not path.is_dir():
                raise SourceError(f"Pairs are read from a folder: unpack {path} into one.")
            if options.first_halves and not options.pairs:
                raise SourceError("--first-halves is for --pairs alone.")
            column = options.columns.get(Column.PICTURE, "")
            members = sources.find(path, encoding=options.encoding, column=column)
            index = jobs.read(members, name=source, options=options)
            if options.pairs:
                self._describe_sides(members, options)
            record = self._begun(
                slug,
                Begun(str(path.resolve()), changes.fingerprint(path, options)),
                options,
                declared,
            )
            with _failing(record), lease.kept(record):
                report = self._execute(record, members, index, wanted, may_ask=may_ask)
        publishing.finish(record)
        with transaction.atomic():
            uploads.remove_files(record)
        urls.forget(Path(source))
        enqueue_on_commit(fill_due_pools)
        self._close(record, report)

    def _describe_sides(self, members: Members, options: Options) -> None:
        """Say which halves are the first ones: a model learns to draw the others from them."""
        if sides := pairs.sides(members, options.first_halves):
            first, second = sides
            self.stdout.write(
                f"The first halves are those in {first}, the second ones those in {second}: the "
                "other way round with --first-halves."
            )

    def _begun(self, slug: str, begun: Begun, options: Options, declared: dict[str, Any]) -> Import:
        """Return the leased row of the import of a source, in its project, which is made."""
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            project = projects.create(by=None, name=slug, slug=slug, audience=Audience.PUBLIC)
            self.stdout.write(f"Made the project {slug}.")
        record, goes_on = _record(project, begun, options, declared)
        if earlier := None if goes_on else _changed(record):
            self.stdout.write(CHANGED.format(number=earlier.pk))
        if goes_on:
            self.stdout.write(f"Goes on with the import no. {record.pk}, which was not finished.")
        return record

    def _fetched(self, record: Import) -> Members:
        """Return the members of what a bucket holds, once all has come."""
        with meter("percent fetched", 100) as show:
            bucket_files.fetch(record, lambda came, size: show(int(100 * came / max(1, size))))
        self.stdout.write(
            f"Fetched {count(record.files, 'file')}, {record.received:,} bytes, from "
            f"{record.address}."
        )
        return upload_members.members(record)

    def _execute(
        self,
        record: Import,
        members: Members,
        index: SourceIndex,
        wanted: str | None,
        *,
        may_ask: bool,
    ) -> Report:
        """Say what the source names, and import it with what was chosen of that."""
        jobs.describe(record, index)
        for line in choices.describe(record):
            self.stdout.write(line)
        are_pairs = Options.of(record.options).pairs
        unchosen = [] if are_pairs else choices.by_keywords(record)
        if wanted is None and unchosen:
            wanted = choices.ask(record) if may_ask else None
        chosen = choices.chosen(record, wanted)
        if are_pairs:
            chosen = {pairs.CONCEPT: pairs.PHRASE, **chosen}
        if wanted is None and unchosen:
            self.stdout.write(choices.advice(unchosen))
        record.renew(state=State.IMPORTING, concepts=list(chosen), error="")
        with meter("pictures", index.images) as show:

            def renew(done: int) -> None:
                show(done)
                record.renew(done=done)

            return jobs.execute(
                record, members, concepts=list(chosen), phrases=chosen, renew=renew, index=index
            )

    def _close(self, record: Import, report: Report) -> None:
        """Say what became of the import, and what is left to do."""
        self.is_partial = not report.is_whole
        for line in summary(report):
            self.stdout.write(line)
        if report.clipped:
            self.stdout.write(f"Boxes clipped to their pictures: {report.clipped:,}.")
        if report.cut:
            self.stdout.write(CUT.format(names=_named(report.cut)))
        if report.unnamed:
            self.stdout.write(f"Folders that name no concept: {_named(report.unnamed)}.")
        project = record.project
        if not project.concepts.exists():
            self.stdout.write(NO_CONCEPTS)
        if project.state == Project.State.DRAFT:
            self.stdout.write(DRAFT.format(slug=project.slug))
        self.stdout.write(f"To take the import back: tessera undo_import {record.pk}")

    def _add_concepts(self, slug: str, wanted: str | None) -> None:
        """Add concepts to a project that has its pictures already."""
        if wanted in (None, choices.ALL):
            raise SourceError("Name a SOURCE of pictures, or concepts with --concepts.")
        phrases = choices.parse(wanted)
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise SourceError(f"There is no project {slug}: name a SOURCE of pictures as well.")
        new = len(concepts.ensure(project, phrases))
        enqueue_on_commit(fill_due_pools)
        existing = len({name_key(name) for name in phrases}) - new
        self.stdout.write(f"added {count(new, 'concept')}, already there {existing:,}.")


def _options(values: Mapping[str, Any]) -> Options:
    """Return how the source is to be read. Raises `SourceError`."""
    return Options.of(
        {
            "encoding": values["encoding"],
            "masks": values["masks"],
            "bits": values["bits"],
            "pairs": values["pairs"],
            "first_halves": values["first_halves"],
            "texts": parse_texts(values["texts"]),
            "columns": parse_columns(values["columns"]),
        }
    )


@contextmanager
def _failing(record: Import) -> Iterator[None]:
    """Let an import fail, with the reason, where its work does."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, LeaseLost):
            record.release(
                state=State.FAILED,
                error=texts.shown(str(error)) or GO_ON,
                finished_at=timezone.now(),
            )
        raise


def _record(
    project: Project, begun: Begun, options: Options, declared: dict[str, Any]
) -> tuple[Import, bool]:
    """Return the leased row of the import of a source, and whether an earlier one goes on.

    It goes on where the same source, unchanged, was imported, and it failed: its pictures are there
    for people once it is done.
    """
    jobs.fail_lost_commands(since=timedelta())
    state = State.FETCHING if begun.address else State.READING
    values: dict[str, Any] = {
        "state": state,
        "options": options.as_json(),
        "error": "",
        "attempts": 1,
    }
    source = begun.source[-SOURCE_LENGTH:]
    ours = Import.objects.filter(
        project=project,
        source=source,
        address=begun.address,
        fingerprint=begun.fingerprint,
        state=State.FAILED,
    )
    for pk in ours.values_list("pk", flat=True):
        if held := ours.acquire(pk, finished_at=None, **values):
            held.project = project
            return held, True
    with transaction.atomic():  # nobody else can take the row before it is leased
        record = Import.objects.create(
            project=project,
            state=state,
            name=begun.name[:NAME_LENGTH],
            source=source,
            address=begun.address,
            fingerprint=begun.fingerprint,
            **declared,
        )
        if begun.address:
            record.folder = staging.new_folder(record)
            record.save(update_fields=["folder"])
        new: Import | None = Import.objects.acquire(record.pk, **values)
    assert new is not None
    new.project = project
    return new, False


def _changed(record: Import) -> Import | None:
    """Return the newest import of another state of a new one's source that failed half-way."""
    failed = Import.objects.filter(
        project=record.project_id,
        source=record.source,
        address=record.address,
        state=State.FAILED,
        images__isnull=False,
    )
    return failed.exclude(fingerprint=record.fingerprint).first()


def summary(report: Report) -> Iterator[str]:
    """Yield the closing count, and each reason with the names of what was rejected for it."""
    counts = (
        f"imported {report.taken:,}, already there {report.known:,}, "
        f"near-duplicates {report.near_duplicates:,}, refused {_refused(report)}"
    )
    if outcome := ledger.in_words(report.texts.counts()):
        yield f"{outcome}."
    if retracted := ledger.retracted_in_words(report.counts()["retracted"]):
        yield f"{retracted}:"
        more = report.retracted.total() - len(report.named_retracted)
        yield from (f"  {texts.shown(text)}" for text in report.named_retracted)
        if more:
            yield f"  and {more:,} more: see the report."
    yield f"{counts}{':' if report.rejected else '.'}"
    for reason, paths in sorted(report.rejected.items(), key=lambda item: -len(item[1])):
        yield f"  {texts.shown(reason)}: {_named(paths)}"
    for remark, paths in sorted(report.remarks.items(), key=lambda item: -len(item[1])):
        yield f"Of {count(len(paths), 'picture')} {texts.shown(remark)}: {_named(paths)}."
    for note, paths in sorted(report.notes.items(), key=lambda item: -len(item[1])):
        yield f"{count(len(paths), 'file')} {texts.shown(note)}: {_named(paths)}."


def _refused(report: Report) -> str:
    """Return how many files were refused, and texts of pictures or of tables apart from them."""
    numbers = (report.refused, "file"), (report.outcomes[Outcome.TEXT_REFUSED], "text")
    return " and ".join(count(number, noun) for number, noun in numbers if number) or "0"


def _named(paths: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    names = ", ".join(texts.shown(path) for path in paths[:NAMED])
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    return f"{names}{more}"


def _checked(slug: str) -> str:
    try:
        validate_slug(slug)
    except ValidationError:
        slug = ""
    if not 1 <= len(slug) <= 60:
        raise SourceError("--project is a short name of letters, digits, - and _.")
    return slug
