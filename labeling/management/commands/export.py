from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import exports
from labeling.exports import Options, Result
from labeling.exports.options import described
from labeling.management import progress
from labeling.models import Snapshot
from labeling.snapshot_folder import SnapshotError
from labeling.stored_folders import StorageAway


class Command(BaseCommand):
    help = "Export a snapshot for other tools; what was written is hashed and counted again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "snapshot", nargs="?", help="its number, its name in the storage, or a folder"
        )
        parser.add_argument("--format", choices=sorted(exports.FORMATS))
        parser.add_argument(
            "--out", type=Path, help="a new or empty folder, or a new file: .zip or .tar"
        )
        parser.add_argument(
            "--to",
            metavar="s3://BUCKET/PREFIX",
            help="a prefix of a bucket that EXPORT_BUCKETS allows, below which nothing lies yet",
        )
        parser.add_argument(
            "--option", action="append", default=[], metavar="NAME=VALUE", help="see --options"
        )
        parser.add_argument("--options", action="store_true", help="list formats and options")

    def handle(self, *, snapshot: str | None, format: str | None, **options: Any) -> None:
        if options["options"]:
            self._list(format)
            return
        out: Path | str | None = options["to"] or options["out"]
        if snapshot is None or format is None or out is None:
            raise CommandError("Name a snapshot, a --format and where --out or --to it goes.")
        if options["to"] and options["out"]:
            raise CommandError("Name one place: --out or --to.")
        try:
            chosen = exports.options_of(format, _pairs(options["option"]))
            result = self._export(snapshot, format, chosen, out)
        except (exports.ExportError, SnapshotError, StorageAway) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror or error}.") from error
        self.stdout.write(f"{exports.in_words(result.counts)}, checked: {out}")
        for reason, count in sorted(result.left_out.items()):
            self.stdout.write(f"Left out: {count:,} {reason}")

    def _export(self, snapshot: str, format: str, options: Options, out: Path | str) -> Result:
        row = _find(snapshot)
        with progress.meter("Percent done", 100) as show:
            more: dict[str, Any] = {
                "format": format,
                "out": out,
                "options": options,
                "on_progress": lambda share: show(int(100 * share)),
            }
            if row is not None:
                return exports.export_snapshot(snapshot=row, **more)
            return exports.export(folder=Path(snapshot), **more)

    def _list(self, only: str | None) -> None:
        for name in [only] if only else exports.FORMATS:
            format = exports.FORMATS[name]
            self.stdout.write(f"{name}: {format.holds}. Read by {format.read_by}.")
            for option in described(format.options):
                default = ",".join(option.default) if option.kind == "names" else option.default
                choices = f" ({', '.join(option.choices)})" if option.choices else ""
                self.stdout.write(f"  {option.name}={default}: {option.help}{choices}")


def _pairs(texts: list[str]) -> dict[str, str]:
    """Return the options by name. Raises ExportError for one without a value."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise exports.ExportError(f"“{text}” is no option: write NAME=VALUE.")
        pairs[name.strip().replace("-", "_")] = value
    return pairs


def _find(snapshot: str) -> Snapshot | None:
    """Return the snapshot of this number or name; None for a folder.

    Raises CommandError where there is none of this number, or it is not ready.
    """
    rows = Snapshot.objects.select_related("project")
    if not snapshot.isdecimal():
        return rows.filter(folder=snapshot, state=Snapshot.State.READY).first()
    row = rows.filter(pk=min(int(snapshot), 2**63 - 1)).first()
    if row is None:
        raise CommandError(f"There is no snapshot {snapshot}: freeze one with `snapshot`.")
    if row.state != Snapshot.State.READY:
        raise CommandError(f"Snapshot {snapshot} is {row.state}, not ready. {row.error}".strip())
    return row
