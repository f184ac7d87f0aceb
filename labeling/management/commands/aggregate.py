from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import progress
from labeling.inference import recompute
from labeling.models import Project


class Command(BaseCommand):
    help = "Recompute the labels of a project, and its annotators' accuracy, from all its answers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="its short name, as in addresses")

    def handle(self, *, project: str, **options: Any) -> None:
        row = Project.objects.filter(slug=project).first()
        if row is None:
            raise CommandError(f"There is no project {project!r}.")
        changed = recompute.run(project=row)
        if changed is None:
            raise CommandError(f"{row} is being recomputed already: wait until that is done.")
        totals = progress.measure(project=row)
        self.stdout.write(
            f"{totals.answers:,} answers by {totals.annotators:,} annotators: {changed:,} "
            f"questions changed; {totals.settled:,} labels are settled, {totals.ambiguous:,} "
            f"ambiguous, {totals.open:,} open. Of {totals.pairs:,} pairs of a tile and a concept, "
            f"{totals.implicit:,} are implicit."
        )
