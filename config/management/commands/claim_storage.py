"""`claim_storage`: the files of the storage are this installation's, whatever it names."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import installation
from labeling.stored_folders import StorageAway


class Command(BaseCommand):
    help = (
        "Make the storage of FILE_STORAGE this installation's, where a file of its own is missing"
        " or names another. Be sure that the disk is mounted, and that no other uses it."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            installation.claim()
        except StorageAway as error:
            raise CommandError(str(error)) from error
        self.stdout.write("The storage is this installation's.")
