from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.imports import answers
from labeling.inference import recompute
from labeling.models import Project


class Command(BaseCommand):
    help = (
        "Import a crowd's answers: a CSV with the columns task (path, file name or SHA-256 of a "
        "picture), worker and label (a concept's name; or yes or no, with a column concept). The "
        "file is checked before anything is stored; an import that was interrupted is finished "
        "by running it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--project", required=True, help="its short name, as in addresses")

    def handle(self, *, file: Path, project: str, **options: Any) -> None:
        row = Project.objects.filter(slug=project).first()
        if row is None:
            raise CommandError(f"There is no project {project!r}.")
        try:
            imported = answers.load(path=file, project=row)
        except answers.AnswersError as error:
            raise CommandError(str(error)) from None
        changed = recompute.run(project=row)
        labels = "labels follow soon" if changed is None else f"{changed:,} questions changed"
        self.stdout.write(
            f"{imported.new:,} new of {_count(imported.answers, 'answer')} "
            f"by {_count(imported.workers, 'person', 'people')} "
            f"about {_count(imported.images, 'image')} ({imported.known:,} known already, "
            f"{imported.gone:,} about questions that are gone); {labels}."
        )


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
