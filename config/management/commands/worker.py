"""A worker: it does the tasks of some queues, or of all."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import services
from config.management import running
from config.management.options import add_number

GRACE = 60.0  # seconds for tasks that have begun; what is dropped is done again


class Command(BaseCommand):
    help = "Do the tasks of some queues, or of all; what follows -- goes to Celery's worker."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        known = ", ".join(settings.CELERY_TASK_QUEUES)
        parser.add_argument("--queues", help=f"queues with commas between (all: {known})")
        add_number(
            parser,
            "--concurrency",
            default=services.TASKS_AT_ONCE,
            help="tasks at once of each kind: quick, or long",
        )
        parser.add_argument(
            "--beat",
            action="store_true",
            help="schedule the periodic tasks too; of several processes, one does it at a time",
        )
        parser.add_argument("celery", nargs="*", metavar="OPTION", help="of Celery's own")

    def handle(
        self,
        *args: Any,
        queues: str | None,
        concurrency: int,
        beat: bool,
        celery: list[str],
        **options: Any,
    ) -> None:
        names = [name.strip() for name in (queues or "").split(",") if name.strip()]
        if unknown := [name for name in names if name not in settings.CELERY_TASK_QUEUES]:
            known = ", ".join(settings.CELERY_TASK_QUEUES)
            raise CommandError(f"There is no queue {unknown[0]!r}: choose of {known}.")
        names = names or list(settings.CELERY_TASK_QUEUES)
        running.run(
            services.workers(names, concurrency=concurrency, beat=beat, options=celery),
            role="worker",
            grace=GRACE,
            ready=f"Working on {', '.join(names)}.",
            write=self.stdout.write,
        )
