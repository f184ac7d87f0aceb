"""`import_images`: import the images of a folder, a zip or a tar, with their metadata."""

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from labeling.decoding.pool import PoolError
from labeling.enqueue import enqueue_on_commit
from labeling.imports import concepts, importer, source, source_index
from labeling.imports.importer import Report
from labeling.imports.members import SourceError
from labeling.management.progress import bar
from labeling.models import Project
from labeling.models.projects import name_key
from labeling.tasks import fill_due_pools

NAMED = 20  # files rejected for one reason are named up to here
NO_CONCEPTS = (
    "The project has no concepts, so nobody is asked what its pictures show: "
    "name some in a file with --concepts, or add them in the admin."
)


class Command(BaseCommand):
    help = (
        "Import the pictures of a folder, a zip or a tar. A folder's name is a concept, a text of "
        "the same name captions or keywords; Hugging Face's metadata.jsonl, COCO's JSON and "
        "WebDataset are recognised. What was imported before is left as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source",
            type=Path,
            nargs="?",
            metavar="SOURCE",
            help="may be left out with --concepts: the file's concepts are added to the project",
        )
        parser.add_argument("--project", required=True, help="made if there is none of this name")
        parser.add_argument(
            "--concepts",
            type=Path,
            metavar="FILE",
            help="what to ask of each picture, one a line: `bicycle` or `bicycle: a bicycle`",
        )

    def handle(self, **options: Any) -> None:
        try:
            if options["source"] is None:
                self._add_concepts(options["project"], options["concepts"])
                return
            gc.freeze()  # what was loaded stays; fewer passes through what a batch leaves
            gc.set_threshold(50_000, 20, 20)
            report = self._import(options["source"], options["project"], options["concepts"])
        except SourceError as error:
            raise CommandError(str(error)) from error
        except PoolError as error:
            raise CommandError(f"{error} Import the same source again to go on.") from error
        except OSError as error:
            raise CommandError(f"The pictures cannot be stored: {error}.") from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Import the same source again to go on.") from None
        for line in summary(report):
            self.stdout.write(line)

    def _import(self, path: Path, slug: str, file: Path | None) -> Report:
        slug = _checked(slug)
        members = source.find(path)
        phrases = concepts.read(file) if file else {}
        index = source_index.build(members)
        if not index.images:
            reasons = "; ".join(sorted({rejection.reason for rejection in index.rejections}))
            raise SourceError(f"{path} holds no pictures{f' ({reasons})' if reasons else ''}.")
        project, created = Project.objects.get_or_create(slug=slug, defaults={"name": slug})
        if created:
            self.stdout.write(f"Made the project {slug}.")
        plan = importer.plan(
            project=project, index=index, phrases=phrases, source=path.name.partition(".")[0]
        )
        if plan.unnamed:
            self.stdout.write(f"Folders that name no concept: {_named(plan.unnamed)}.")
        report = importer.run(
            project=project, members=members, index=index, plan=plan, progress=bar
        )
        enqueue_on_commit(fill_due_pools)
        if not project.concepts.exists():
            self.stdout.write(NO_CONCEPTS)
        return report

    def _add_concepts(self, slug: str, file: Path | None) -> None:
        """Add a file's concepts to a project that has its pictures already."""
        if file is None:
            raise SourceError("Name a SOURCE of pictures, or a file of concepts with --concepts.")
        phrases = concepts.read(file)
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise SourceError(f"There is no project {slug}: name a SOURCE of pictures as well.")
        before = project.concepts.count()
        concepts.ensure(project, {}, phrases)
        enqueue_on_commit(fill_due_pools)
        new = project.concepts.count() - before
        existing = len({name_key(name) for name in phrases}) - new
        self.stdout.write(f"added {new:,} concepts, already there {existing:,}.")


def summary(report: Report) -> Iterator[str]:
    """Yield the closing count, and each reason with the names of what was rejected for it."""
    counts = (
        f"imported {report.imported:,}, already there {report.existing:,}, "
        f"near-duplicates {report.near_duplicates:,}, refused {report.rejections:,}"
    )
    yield f"{counts}{':' if report.rejected else '.'}"
    for reason, paths in sorted(report.rejected.items(), key=lambda item: -len(item[1])):
        yield f"  {reason}: {_named(paths)}"


def _named(paths: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    names = ", ".join(_printable(path) for path in paths[:NAMED])
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


def _printable(path: str) -> str:
    """Return a name that is fit for a terminal: one from an archive may hold anything."""
    plain = path.encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else "�" for letter in plain)
