"""`load_demo`: the demo project, made once."""

import time
from contextlib import closing
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.demo_project import load
from config.demo_project.emoji import EmojiMissing
from config.demo_project.fetch import is_fetched
from config.demo_project.preparation import Preparation, PreparationError
from labeling.management.progress import about, bar
from labeling.models import Project

SLUG = "demo"


class Command(BaseCommand):
    help = "Make the demo project, unless it is there; its pictures are fetched with npm."
    stealth_options = ("preparation",)  # pictures in the making, where somebody has begun

    def handle(self, *, preparation: Preparation | None = None, **options: Any) -> None:
        project = Project.objects.filter(slug=SLUG).first()
        if project:
            self.stdout.write(f"The demo project is there: {_describe(project)}.")
            return
        if not preparation and not is_fetched():
            self.stdout.write("Fetching the demo's pictures, 28 MB, with npm.")
        started = time.monotonic()
        try:
            with closing(preparation or load.prepare()) as preparation:
                project = self._load(preparation)
        except (EmojiMissing, PreparationError) as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - started
        self.stdout.write(
            f"The demo project is made: {_describe(project)}, in {seconds:.0f} seconds."
        )

    def _load(self, preparation: Preparation) -> Project:
        emojis = len(preparation.emojis())
        self.stdout.write(
            f"Making the demo project: {emojis:,} pictures and {load.SCENES} scenes, "
            f"{about(preparation.seconds_left())}."
        )
        return load.load(slug=SLUG, progress=bar, preparation=preparation)


def _describe(project: Project) -> str:
    counts = load.count(project)
    return (
        f"{counts.images:,} images, {counts.tiles:,} tiles, "
        f"{counts.questions:,} questions, {counts.gold:,} of them gold"
    )
