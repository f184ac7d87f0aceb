"""`load_demo`: the demo project, made once."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from fixtures.demo import emoji, load
from labeling.management.progress import bar
from labeling.models import Project

SLUG = "demo"


class Command(BaseCommand):
    help = "Make the demo project, unless it is there."

    def handle(self, **options: Any) -> None:
        project = Project.objects.filter(slug=SLUG).first()
        if project:
            self.stdout.write(f"The demo project is there: {_describe(project)}.")
            return
        started = time.monotonic()
        try:
            project = load.load(slug=SLUG, progress=bar)
        except emoji.EmojiMissing as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - started
        self.stdout.write(
            f"The demo project is made: {_describe(project)}, in {seconds:.0f} seconds."
        )


def _describe(project: Project) -> str:
    counts = load.count(project)
    return (
        f"{counts.images:,} images, {counts.tiles:,} tiles, "
        f"{counts.questions:,} questions, {counts.gold:,} of them gold"
    )
