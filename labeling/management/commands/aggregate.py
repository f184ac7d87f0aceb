from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import progress
from labeling.inference import recompute
from labeling.models import Project


class Command(BaseCommand):
    help = "Recompute all that is believed in a project from all its answers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="its short name, as in addresses")

    def handle(self, *, project: str, **options: Any) -> None:
        row = Project.objects.filter(slug=project).first()
        if row is None:
            raise CommandError(f"There is no project {project!r}.")
        changed = recompute.run(project=row)
        if changed is None:
            raise CommandError(f"{row} is being recomputed already: wait until that is done.")
        now = progress.measure(project=row)
        self.stdout.write(
            f"{now.answers:,} answers by {now.annotators:,} annotators: {changed:,} beliefs "
            f"changed; {now.settled:,} labels are settled, {now.ambiguous:,} ambiguous, "
            f"{now.open:,} open."
        )
