from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import exports
from labeling.models import Snapshot
from labeling.snapshot_folder import SnapshotError


class Command(BaseCommand):
    help = "Export a snapshot for other tools; what was written is counted before it is done."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("snapshot", help="its number, or its folder")
        parser.add_argument("--format", required=True, choices=sorted(exports.FORMATS))
        parser.add_argument("--out", required=True, type=Path, help="a new or empty folder")

    def handle(self, *, snapshot: str, format: str, out: Path, **options: Any) -> None:
        try:
            if snapshot.isdecimal():
                row = _find(snapshot)
                counts = exports.export_snapshot(snapshot=row, format=format, out=out)
            else:
                counts = exports.export(folder=Path(snapshot), format=format, out=out)
        except (exports.ExportError, SnapshotError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        self.stdout.write(
            f"{counts.images} pictures, {counts.with_text} with "
            f"{exports.FORMATS[format].text_name}, checked: {out}"
        )


def _find(snapshot: str) -> Snapshot:
    """Return the snapshot of this number. Raises CommandError where there is none, or not yet."""
    row = (
        Snapshot.objects.select_related("project").filter(pk=min(int(snapshot), 2**63 - 1)).first()
    )
    if row is None:
        raise CommandError(f"There is no snapshot {snapshot}: freeze one with `snapshot`.")
    if row.state != Snapshot.State.READY:
        raise CommandError(f"Snapshot {snapshot} is {row.state}, not ready. {row.error}".strip())
    return row
