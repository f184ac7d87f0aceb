"""`backup PLACE`: the database and the stored files, while people answer."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import backup


class Command(BaseCommand):
    help = "Back up the database and the stored files into a folder or a bucket."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("place", help="a folder, or s3://bucket/prefix")
        parser.add_argument(
            "--keep",
            type=int,
            default=0,
            metavar="N",
            help="then delete all but the N newest backups of that place",
        )

    def handle(self, *args: Any, place: str, keep: int, **options: Any) -> None:
        if keep < 0:
            raise CommandError("--keep is a number of backups, from 1.")
        with backup.in_a_sentence(place):
            made = backup.make(backup.place_at(place), keep=keep, say=self.stdout.write)
        rows = sum(table.rows for table in made.manifest.tables)
        self.stdout.write(
            f"Backup {made.manifest.name} is in {place}: {rows:,} rows and"
            f" {made.manifest.file_count:,} files, of which {made.copied:,} were new."
        )
        if made.missing:
            self.stderr.write(
                f"{len(made.missing):,} files that the database names are not in the storage,"
                f" such as {made.missing[0]}: whatever needs them will say so."
            )
        if not os.environ.get("SECRET_KEY"):
            self.stdout.write(
                f"Keep {settings.DATA_DIR / 'secret-key'} elsewhere: it is not in the backup."
            )
