"""Export a snapshot to a folder that other tools load; one file a format.

A format's `write` fills a new folder from a snapshot's. What it wrote is then counted on the disk
and compared with the snapshot, before the export is moved to its place.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labeling import snapshot_folder
from labeling.exports import imagefolder, kohya
from labeling.snapshot_folder import SPLITS


class ExportError(ValueError):
    """An export cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Counts:
    """What an export holds: images, and how many of them have a caption."""

    images: int
    captioned: int


@dataclass(frozen=True)
class Format:
    write: Callable[[Path, Path], None]  # snapshot folder, new folder
    count: Callable[[Path], tuple[int, int]]  # images, and captioned ones, in the new folder


FORMATS = {
    "imagefolder": Format(imagefolder.write, imagefolder.count),
    "kohya": Format(kohya.write, kohya.count),
}


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
        counts = _checked(folder, Counts(*FORMATS[format].count(draft)))
        _check_unused(out)
        draft.replace(out)
    return counts


def _check_unused(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} is in use: name a folder that is new or empty.")


def _checked(folder: Path, written: Counts) -> Counts:
    """Compare what was written with the snapshot. Raises ExportError where they differ."""
    rows = [row for split in SPLITS for row in snapshot_folder.read_rows(folder, split)]
    expected = Counts(len(rows), sum(bool(kohya.caption(row)) for row in rows))
    if written != expected:
        raise ExportError(
            f"The export holds {written.images} pictures and {written.captioned} captions, "
            f"not {expected.images} and {expected.captioned}: nothing was kept; try again."
        )
    return written
