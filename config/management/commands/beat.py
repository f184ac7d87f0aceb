"""The scheduler of periodic tasks."""

from typing import Any

from django.core.management.base import BaseCommand

from config import services
from config.management import running

GRACE = 10.0  # seconds


class Command(BaseCommand):
    help = "Schedule the periodic tasks; of several such processes, one does it at a time."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        running.run(
            [services.beat()],
            role="scheduler",
            grace=GRACE,
            ready="Scheduling the periodic tasks.",
            write=self.stdout.write,
        )
