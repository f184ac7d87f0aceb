"""Export a snapshot into what other programs read; one file a format in `labeling.exports.formats`.

A writer fills a folder or an archive from a snapshot's rows. All that it wrote is then hashed and
counted again, before the export is moved to its place.
"""

import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from labeling import audit, snapshots, stored_folders
from labeling.exports import answers, into_folder, run, to_bucket
from labeling.exports.errors import Busy, DiskFull, ExportError
from labeling.exports.formats import FORMATS
from labeling.exports.options import Options, parse
from labeling.exports.run import OnProgress, Result, Source, in_words
from labeling.exports.sinks import ArchiveSink, FolderSink
from labeling.exports.stored import StoredFolder, StoredTar, StoredZip
from labeling.exports.writer import Format
from labeling.models import Event, Snapshot

__all__ = [
    "FORMATS",
    "Busy",
    "DiskFull",
    "ExportError",
    "Options",
    "Result",
    "export",
    "export_snapshot",
    "format_of",
    "in_words",
    "options_of",
    "source_of",
]
FOLDER = "exports"  # in the storage
ARCHIVES: dict[str, type[StoredZip] | type[StoredTar]] = {".zip": StoredZip, ".tar": StoredTar}


def format_of(name: str) -> Format:
    """Return the format of that name. Raises ExportError where there is none."""
    if name not in FORMATS:
        raise ExportError(f"There is no format “{name}”: choose {' or '.join(sorted(FORMATS))}.")
    return FORMATS[name]


def options_of(format: str, values: Mapping[str, Any]) -> Options:
    """Return the options of a format from texts or JSON. Raises ExportError."""
    return parse(values, names=format_of(format).options, format=format)


def source_of(snapshot: Snapshot, *, key: str) -> Source:
    """Return a snapshot as it may be handed out: without what was removed from its project since.

    key: the secret that the pseudonyms of raw answers are made with. Raises SnapshotError and
    StorageAway.
    """
    return Source(
        folder=snapshots.local_folder(snapshot),
        sha256=snapshot.sha256,
        removed=_removed(snapshot),
        answers=lambda: answers.of(snapshot, key),
    )


def export_snapshot(
    *,
    snapshot: Snapshot,
    format: str,
    out: Path | str,
    options: Options | None = None,
    by: AbstractBaseUser | None = None,
    on_progress: OnProgress = lambda share: None,
) -> Result:
    """Export a snapshot as `export` does, and write it into its project's history.

    Raises ExportError and `SnapshotError`.
    """
    source = source_of(snapshot, key=answers.new_key())
    result = _export(source, format_of(format), options or Options(), out, on_progress)
    record(snapshot, format, result, by=by)
    return result


def record(snapshot: Snapshot, format: str, result: Result, *, by: AbstractBaseUser | None) -> None:
    """Write an export that is done into its project's history."""
    audit.record(
        project=snapshot.project,
        kind=Event.Kind.SNAPSHOT,
        message=f"Exported snapshot {snapshot.pk} as {format}: {in_words(result.counts)}.",
        by=by,
        row=snapshot,
    )


def export(
    *,
    folder: Path,
    format: str,
    out: Path | str,
    options: Options | None = None,
    on_progress: OnProgress = lambda share: None,
) -> Result:
    """Export the snapshot in `folder` to `out`, whole or not at all.

    out: a new or empty folder, or a new file ending in .zip or .tar; for the format "folder" also
    the folder that the pictures came from. A text is the address of a bucket (`to_bucket`), where
    what is not whole lacks its manifest. Raises ExportError for an unknown format, an `out` in
    use or a count that is off, and `SnapshotError` for a snapshot that is not as it was frozen.
    """
    source = Source(folder)
    return _export(source, format_of(format), options or Options(), out, on_progress)


def _export(
    source: Source, format: Format, options: Options, out: Path | str, on_progress: OnProgress
) -> Result:
    if isinstance(out, str):
        return _export_to_bucket(source, format, options, out, on_progress)
    archive = out.suffix.lower() in ARCHIVES
    merged = format.into_folder and not archive and out.is_dir()
    if not merged:
        _check_unused(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        draft = Path(name, out.name)
        write = _write_archive if archive else _write_folder
        result = write(source, format, options, draft, on_progress)
        if merged:
            return into_folder.merge(draft, out, result, overwrite=options.overwrite)
        _check_unused(out)
        draft.replace(out)
    return result


def _export_to_bucket(
    source: Source, format: Format, options: Options, address: str, on_progress: OnProgress
) -> Result:
    to_bucket.place_of(address)  # before anything is written
    root = stored_folders.working(f"{FOLDER}/.to-buckets")
    with tempfile.TemporaryDirectory(dir=root) as name:
        draft = Path(name, "export")
        result = _write_folder(source, format, options, draft, first_half(on_progress))
        to_bucket.send(draft, address, second_half(on_progress))
    return result


def first_half(on_progress: OnProgress) -> OnProgress:
    """Return what reports the first of two halves of the work."""
    return lambda share: on_progress(share / 2)


def second_half(on_progress: OnProgress) -> OnProgress:
    """Return what reports the second of two halves of the work."""
    return lambda share: on_progress((1 + share) / 2)


def _write_folder(
    source: Source, format: Format, options: Options, draft: Path, on_progress: OnProgress
) -> Result:
    with closing(FolderSink(draft)) as sink:
        result = run.write(source, format, options, sink, on_progress)
    run.read_back(StoredFolder(draft), format, result, on_progress)
    sink.drop_journal()
    return result


def _write_archive(
    source: Source, format: Format, options: Options, draft: Path, on_progress: OnProgress
) -> Result:
    suffix = draft.suffix.lower()
    with draft.open("wb") as file, closing(ArchiveSink(file, suffix.removeprefix("."))) as sink:
        result = run.write(source, format, options, sink, on_progress)
    with closing(ARCHIVES[suffix](draft)) as stored:
        run.read_back(stored, format, result, on_progress)
    return result


def _check_unused(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} is in use: name a folder that is new or empty, or a new file.")


def _removed(snapshot: Snapshot) -> set[str]:
    """Return the names of the files of pictures that were removed since it was frozen."""
    if not snapshot.removed:
        return set()
    folder = snapshots.local_folder(snapshot)
    return snapshots.removed_files(snapshot, run.file_names(folder))
