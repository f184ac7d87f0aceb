"""`restore PLACE`: what `backup` kept, into an installation that is empty."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config import backup
from config.monitoring import identity


class Command(BaseCommand):
    help = "Restore a backup into an empty installation; stop web, worker and beat first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("place", help="a folder, or s3://bucket/prefix")
        parser.add_argument("--name", default="", help="which backup; the newest without it")
        parser.add_argument(
            "--replace", action="store_true", help="delete what this installation holds"
        )
        parser.add_argument(
            "--verify", action="store_true", help="only read the backup and check its hashes"
        )

    def handle(
        self, *args: Any, place: str, name: str, replace: bool, verify: bool, **options: Any
    ) -> None:
        with backup.in_a_sentence(place):
            where = backup.place_at(place)
            if verify:
                found = backup.verify(where, name=name)
                self.stdout.write(f"Backup {found.name} is whole.")
                return
            found = backup.restore(where, name=name, replace=replace, say=self.stdout.write)
        self.stdout.write(
            f"Backup {found.name}, of Tessera {found.version}, is restored:"
            f" {sum(table.rows for table in found.tables):,} rows, {found.file_count:,} files."
        )
        if found.key != identity.of_key():
            self.stderr.write(
                "SECRET_KEY is another one than where the backup was made: all must sign in again,"
                " and visitors are taken for new ones. Set the earlier one if you have it."
            )
