"""`import_answers`: import what a crowd answered elsewhere."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from labeling.inference import recompute
from labeling.management import answers
from labeling.models import Import
from labeling.numbers import count


class Command(BaseCommand):
    help = (
        "Import a crowd's answers: a table with the columns task (path, file name or SHA-256 of a "
        "picture), worker and label (a concept's name; or yes or no, with a column concept); "
        "Mechanical Turk's or Toloka's results, Label Studio's JSON, JSON-MIN or CSV, or CVAT's "
        "XML for images. What cannot be taken is refused with its line and the reason; an import "
        "that was interrupted is finished by running it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        answers.add_arguments(parser)
        parser.add_argument("--worker", default="", help="who answered, where the file names none")
        parser.add_argument(
            "--crowd",
            default="",
            help="a name for the crowd, where its worker ids are those of other projects or tools: "
            "the ids of Mechanical Turk (mturk) and Toloka (toloka) are; others are taken for "
            "this project's and this tool's own",
        )

    def handle(self, *, file: Path, project: str, **options: Any) -> None:
        record = answers.import_file(
            self, path=file, slug=project, kind=Import.Kind.ANSWERS, **options
        )
        changed = recompute.run(project=record.project)
        labels = (
            "Labels follow soon" if changed is None else f"{count(changed, 'question')} changed"
        )
        self.stdout.write(f"{labels}.")
