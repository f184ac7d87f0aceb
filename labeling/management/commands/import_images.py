"""`import_images`: pictures from a folder, a zip or a tar, with what is said of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from labeling.imports import catalogue, concepts, importer, source
from labeling.imports.importer import Report
from labeling.imports.members import Unreadable
from labeling.management.progress import bar
from labeling.models import Project

NAMED = 20  # refused files are named up to here, for each reason


class Command(BaseCommand):
    help = (
        "Import the pictures of a folder, a zip or a tar. A folder's name is a concept, a text of "
        "the same name captions or keywords; Hugging Face's metadata.jsonl, COCO's JSON and "
        "WebDataset are recognised. What was imported before is left as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, metavar="SOURCE")
        parser.add_argument("--project", required=True, help="made if there is none of this name")
        parser.add_argument(
            "--concepts",
            type=Path,
            metavar="FILE",
            help="what to ask of each picture, one a line: `bicycle` or `bicycle: a bicycle`",
        )

    def handle(self, **options: Any) -> None:
        try:
            report = self._import(options["source"], options["project"], options["concepts"])
        except Unreadable as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The pictures cannot be stored: {error}.") from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Import the same source again to go on.") from None
        for line in told(report):
            self.stdout.write(line)

    def _import(self, path: Path, slug: str, file: Path | None) -> Report:
        slug = _checked(slug)
        members = source.find(path)
        phrases = concepts.read(file) if file else {}
        found = catalogue.gather(members)
        if not found.pictures:
            reasons = "; ".join(sorted({refusal.reason for refusal in found.refusals}))
            raise Unreadable(f"{path} holds no pictures{f' ({reasons})' if reasons else ''}.")
        project, made = Project.objects.get_or_create(slug=slug, defaults={"name": slug})
        if made:
            self.stdout.write(f"Made the project {slug}.")
        plan = importer.plan(
            project=project, catalogue=found, phrases=phrases, source=path.name.partition(".")[0]
        )
        return importer.run(
            project=project, members=members, catalogue=found, plan=plan, progress=bar
        )


def told(report: Report) -> Iterator[str]:
    """The closing count, and each reason with the names of what was refused."""
    counts = (
        f"imported {report.imported:,}, already there {report.there:,}, "
        f"near-duplicates {report.near_duplicates:,}, refused {report.refusals:,}"
    )
    yield f"{counts}{':' if report.refused else '.'}"
    for reason, paths in sorted(report.refused.items(), key=lambda item: -len(item[1])):
        names = ", ".join(_printable(path) for path in paths[:NAMED])
        more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
        yield f"  {reason}: {names}{more}"


def _checked(slug: str) -> str:
    try:
        validate_slug(slug)
    except ValidationError:
        slug = ""
    if not 1 <= len(slug) <= 60:
        raise Unreadable("--project is a short name of letters, digits, - and _.")
    return slug


def _printable(path: str) -> str:
    """A name from an archive may hold anything, and goes to a terminal."""
    plain = path.encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else "�" for letter in plain)
