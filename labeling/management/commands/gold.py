"""`gold`: say how much gold a project's concepts have and need, or mark it from a file."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from labeling import concepts, gold
from labeling.models import GoldMark, Project, Tile
from labeling.models.projects import name_key
from labeling.restating import Pair

COLUMNS = "path", "concept", "value"
TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
SIZE_MAX = 64 * 2**20  # bytes
NAMED = 20  # lines with problems that are shown


class Command(BaseCommand):
    help = (
        "Say how much gold each concept has and needs, and why; or mark gold from a CSV with the "
        "columns path (as imported, or a SHA-256), concept and value (yes or no). Lines that name "
        "no picture or concept are reported and passed over; to run it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="a CSV; without: say what there is")
        parser.add_argument("--project", required=True, help="its short name, as in addresses")
        parser.add_argument("--by", metavar="USER", help="who marks it, for the history")

    def handle(
        self, *, file: Path | None, project: str, by: str | None = None, **options: Any
    ) -> None:
        row = Project.objects.filter(slug=project).first()
        if row is None:
            raise CommandError(f"There is no project {project!r}.")
        if file is None:
            self._show(row)
            return
        user = User.objects.filter(username=by).first() if by else None
        if by and user is None:
            raise CommandError(f"There is no user {by!r}.")
        self._mark(row, file, user)

    def _show(self, project: Project) -> None:
        for row in gold.progress(project):
            counts = f"{row.yes} yes and {row.no} no of {row.need.yes} and {row.need.no}"
            self.stdout.write(f"{row.concept}: {counts}. {row.why}")
            if row.parts_why:
                parts = f"{row.parts_yes} yes, {row.parts_no} no"
                self.stdout.write(f"  parts: {parts}. {row.parts_why}")

    def _mark(self, project: Project, file: Path, user: User | None) -> None:
        values, problems = _read(project, list(_rows(file)))
        outcome = gold.mark_pairs(
            project=project, values=values, by=user, origin=GoldMark.Origin.FILE
        )
        problems += [f"{reason}." for reason in outcome.refused.values()]
        for problem in problems[:NAMED]:
            self.stderr.write(problem)
        if len(problems) > NAMED:
            self.stderr.write(f"… and {len(problems) - NAMED:,} more.")
        self.stdout.write(
            f"{outcome.marked:,} marked as gold, {outcome.changed:,} changed, "
            f"{outcome.unchanged:,} gold already, {len(problems):,} refused."
        )


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, path, concept and value) of a CSV. Raises CommandError."""
    try:
        if file.stat().st_size > SIZE_MAX:
            raise CommandError(f"{file} is larger than {SIZE_MAX:,} bytes: mark it in parts.")
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise CommandError(f"{file} lacks the columns {', '.join(missing)}.")
            for row in reader:
                yield reader.line_num, [(row[name] or "").strip() for name in COLUMNS]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{file} cannot be read: {error}.") from error


def _read(
    project: Project, rows: Sequence[tuple[int, list[str]]]
) -> tuple[dict[Pair, bool], list[str]]:
    """Return the truths by pair, and what is wrong with lines."""
    tiles = _tiles(project, {path for _, (path, _, _) in rows})
    by_key = concepts.by_key(project)
    values: dict[Pair, bool] = {}
    problems = []
    for line, (path, name, text) in rows:
        concept, truth = by_key.get(name_key(name)), TRUTHS.get(text.casefold())
        if path not in tiles:
            problems.append(f"Line {line}: the project has no picture {path!r}.")
        elif concept is None:
            problems.append(f"Line {line}: the project has no concept {name!r}.")
        elif truth is None:
            problems.append(f"Line {line}: its value is {text!r}; write yes or no.")
        elif values.setdefault((tiles[path], concept.pk), truth) is not truth:
            problems.append(f"Line {line}: {name!r} of {path!r} is both yes and no.")
    return values, problems


def _tiles(project: Project, paths: set[str]) -> dict[str, int]:
    """Return the whole tile of each picture by its paths and hashes, of those named."""
    named = list(paths)
    wholes = Tile.objects.filter(grid=1, image__project=project, image__generated=False).filter(
        Q(image__source__in=named)
        | Q(image__further_sources__overlap=named)
        | Q(image__sha256__in=named)
        | Q(image__source_sha256__in=named)
    )
    found: dict[str, int] = {}
    for tile in wholes.select_related("image").iterator():
        image = tile.image
        for name in (image.source, *image.further_sources, image.sha256, image.source_sha256):
            if name in paths:
                found[name] = tile.pk
    return found
