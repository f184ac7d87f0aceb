"""`push MODEL REPOSITORY`: put a model on a hub of models, privately."""

import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from training import lookup, processes
from training.generation_requests import GenerationError

TIME_LIMIT = 24 * 3600.0  # seconds


class Command(BaseCommand):
    """Push a model's folder, by a child process that knows the hub's client."""

    help = "Push a model to a hub of models by name; the token is HF_TOKEN's, and nobody else's."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the command line."""
        parser.add_argument("model", help="its number, or its folder")
        parser.add_argument("repository", help="its name there: owner/name")
        parser.add_argument("--public", action="store_true", help="for all to see")
        parser.add_argument(
            "--with-neighbours", action="store_true", help="and small copies of training pictures"
        )

    def handle(self, *, model: str, repository: str, **options: Any) -> None:
        """Find the folder, and push it."""
        try:
            folder = lookup.find_model_folder(model)
            arguments = ["push", str(folder), repository]
            arguments += ["--public"] * options["public"]
            arguments += ["--with-neighbours"] * options["with_neighbours"]
            with tempfile.TemporaryDirectory() as temporary:
                log = Path(temporary, "log.txt")
                processes.call(arguments, log=log, time_limit=TIME_LIMIT)
                self.stdout.write(processes.tail(log))
        except (GenerationError, processes.ChildError) as error:
            raise CommandError(str(error)) from None
