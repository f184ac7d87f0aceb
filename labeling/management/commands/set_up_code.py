"""`set_up_code`: print where the first administrator is made, again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.accounts import set_up


class Command(BaseCommand):
    help = "Print the page and the code with which an empty installation gets its administrator."

    def handle(self, *args: Any, **options: Any) -> None:
        if not set_up.is_needed():
            raise CommandError(
                "There is a user already. `tessera createsuperuser` makes another one."
            )
        self.stdout.write(f"Make the first administrator at {set_up.path()}")
