"""`gold`: say how much gold a project's concepts have and need, or mark it from a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from labeling import gold
from labeling.management import answers
from labeling.models import Import, Project


class Command(BaseCommand):
    help = (
        "Say how much gold each concept has and needs, and why; or mark gold from a table with the "
        "columns task (path, file name or SHA-256 of a picture), concept and truth (yes or no); or "
        "with task and class, where each picture is of one class and so of none of the others. "
        "What cannot be taken is refused with its line and the reason; to run it again changes "
        "nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="a CSV; without: say what there is")
        answers.add_arguments(parser)
        parser.add_argument(
            "--by", metavar="USER", help="who marks it: gold that differs is changed"
        )

    def handle(
        self, *, file: Path | None, project: str, by: str | None = None, **options: Any
    ) -> None:
        if file is None:
            row = Project.objects.filter(slug=project).first()
            if row is None:
                raise CommandError(f"There is no project {project!r}.")
            self._show(row)
            return
        user = User.objects.filter(username=by).first() if by else None
        if by and user is None:
            raise CommandError(f"There is no user {by!r}.")
        answers.import_file(
            self, path=file, slug=project, kind=Import.Kind.GOLD, by=user, **options
        )

    def _show(self, project: Project) -> None:
        for row in gold.progress(project):
            counts = f"{row.yes} yes and {row.no} no of {row.need.yes} and {row.need.no}"
            self.stdout.write(f"{row.concept}: {counts}. {row.why}")
            if row.parts_why:
                parts = f"{row.parts_yes} yes, {row.parts_no} no"
                self.stdout.write(f"  parts: {parts}. {row.parts_why}")
