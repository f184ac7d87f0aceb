"""Export a snapshot to a folder that other tools load; one file a format.

A format's `write` fills a new folder from a snapshot's. What it wrote is then counted on the disk
and compared with the snapshot, before the export is moved to its place.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from labeling import audit, snapshot_folder
from labeling.exports import imagefolder, kohya
from labeling.models import Event, Snapshot
from labeling.snapshot_folder import SPLITS


class ExportError(ValueError):
    """An export cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Counts:
    """What an export holds: images, and how many of them have a text."""

    images: int
    with_text: int


@dataclass(frozen=True)
class Format:
    write: Callable[[Path, Path], None]  # snapshot folder, new folder
    count: Callable[[Path], tuple[int, int]]  # images, and those with a text, in the new folder
    text: Callable[[dict[str, Any]], str]  # what a row says of its image in this format
    text_name: str  # what that text is


FORMATS = {
    "imagefolder": Format(
        imagefolder.write, imagefolder.count, imagefolder.caption, text_name="a caption"
    ),
    "kohya": Format(kohya.write, kohya.count, kohya.caption, text_name="a caption or tags"),
}


def export_snapshot(
    *, snapshot: Snapshot, format: str, out: Path, by: AbstractBaseUser | None = None
) -> Counts:
    """Export a snapshot as `export` does, and write it into its project's history."""
    counts = export(folder=Path(snapshot.folder), format=format, out=out)
    audit.record(
        project=snapshot.project,
        kind=Event.Kind.SNAPSHOT,
        message=f"Exported snapshot {snapshot.pk} as {format}: {counts.images:,} pictures.",
        by=by,
        row=snapshot,
    )
    return counts


def export(*, folder: Path, format: str, out: Path) -> Counts:
    """Export the snapshot in `folder` to the new or empty folder `out`, whole or not at all.

    Return what was written. Raises ExportError for an unknown format, a folder in use or a count
    that is off, and `SnapshotError` for a snapshot that is not as it was frozen.
    """
    if format not in FORMATS:
        raise ExportError(f"There is no format “{format}”: choose {' or '.join(sorted(FORMATS))}.")
    _check_unused(out)
    snapshot_folder.verify(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        draft = Path(name, out.name)
        draft.mkdir()
        FORMATS[format].write(folder, draft)
        counts = _checked(folder, Counts(*FORMATS[format].count(draft)), FORMATS[format])
        _check_unused(out)
        draft.replace(out)
    return counts


def _check_unused(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} is in use: name a folder that is new or empty.")


def _checked(folder: Path, written: Counts, format: Format) -> Counts:
    """Compare what was written with the snapshot. Raises ExportError where they differ."""
    texts = [
        bool(format.text(row))
        for split in SPLITS
        for row in snapshot_folder.read_rows(folder, split)
    ]
    expected = Counts(len(texts), sum(texts))
    if written != expected:
        raise ExportError(
            f"The export holds {written.images} pictures, {written.with_text} of them with "
            f"{format.text_name}, not {expected.images} and {expected.with_text}: "
            "nothing was kept; try again."
        )
    return written
