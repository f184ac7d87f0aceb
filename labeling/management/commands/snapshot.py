from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import snapshots, stored_folders
from labeling.models import LeaseLost, Project, Snapshot


class Command(BaseCommand):
    help = "Freeze a project's labels and captions into an immutable folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="its short name, as in addresses")
        parser.add_argument(
            "--include-generated", action="store_true", help="also pictures that a model drew"
        )

    def handle(self, *, project: str, include_generated: bool, **options: Any) -> None:
        row = Project.objects.filter(slug=project).first()
        if row is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no project “{project}” (there are: {known}).")
        try:
            snapshot = snapshots.freeze(project=row, include_generated=include_generated)
        except LeaseLost as error:
            raise CommandError(
                f"This took too long, and a worker goes on with it: {error}"
            ) from None
        if snapshot.state != Snapshot.State.READY:
            raise CommandError(snapshot.error)
        counts = snapshot.counts
        self.stdout.write(
            f"Snapshot {snapshot.pk}: {counts['images']} pictures ({counts['train']} to train on, "
            f"{counts['test']} to test), {counts['captions']} captions, "
            f"{counts['boxes']} boxes, {counts['answers']} answers.\n"
            f"{stored_folders.place(snapshot.folder)}"
        )
