from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import concepts, tasks
from labeling.concepts import ConceptError
from labeling.models import Project


class Command(BaseCommand):
    help = "Add a concept for each line of a file; lines that do not fit are said, and left out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="`bicycle` or `bicycle: a bicycle` a line")
        parser.add_argument("--project", required=True, help="its slug")

    def handle(self, *, file: Path, project: str, **options: Any) -> None:
        row = Project.objects.filter(slug=project).first()
        if row is None:
            raise CommandError(f"There is no project “{project}”.")
        try:
            added = concepts.add_lines(project=row, text=file.read_text(encoding="utf-8-sig"))
        except (ConceptError, UnicodeDecodeError) as error:
            raise CommandError(f"{file}: {error}") from error
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        tasks.finish_concepts_later()
        for problem in added.problems:
            self.stderr.write(f"Line {problem.number}, {problem.line}: {problem.why}")
        self.stdout.write(f"{len(added.concepts)} added, {len(added.problems)} left out")
