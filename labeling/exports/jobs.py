"""Exports that a worker makes: begun by whoever asks, carried on after a crash, kept for download.

The files are written into a folder of the machine, with a journal of what is whole, so that another
attempt there goes on where the last one was killed. Once they are hashed and counted they are put
into the storage, or into the bucket that was named.
"""

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from labeling import exports, folder_deletions, jobs, lease, stored_folders
from labeling.exports import FOLDER, answers, run, to_bucket
from labeling.exports.errors import Busy, DiskFull, ExportError
from labeling.exports.run import Result
from labeling.exports.sinks import JOURNAL, MANIFEST, Archive, FolderSink
from labeling.exports.stored import StoredFolder, listed
from labeling.models import Export, Snapshot
from labeling.snapshot_folder import SnapshotError
from labeling.stored_folders import FolderMissing, Reader, StorageAway

ATTEMPTS = 5  # after which an export whose workers died is given up
State = Export.State


def begin(
    *,
    snapshot: Snapshot,
    format: str,
    values: Mapping[str, Any],
    address: str = "",
    requested_by: AbstractBaseUser | None = None,
) -> Export:
    """Create an export that is still to be made, by `advance`.

    values: options by name, as texts or JSON. address: of the bucket that it goes to; empty: it is
    kept for download. Raises ExportError for what cannot be made.
    """
    if snapshot.state != Snapshot.State.READY:
        raise ExportError(f"Snapshot {snapshot.pk} is {snapshot.state}, not ready.")
    options = exports.options_of(format, values)
    place = str(to_bucket.place_of(address).address) if address else ""
    try:
        _check_space(snapshot)
    except StorageAway:  # then the worker looks
        pass
    except SnapshotError as error:
        raise ExportError(str(error)) from error
    with transaction.atomic():
        export = Export.objects.create(
            project=snapshot.project,
            snapshot=snapshot,
            format=format,
            options=options.chosen,
            address=place,
            key=answers.new_key(),
            requested_by_id=requested_by.pk if requested_by is not None else None,
        )
        jobs.record(export, "began", by=requested_by)
    return export


def waiting() -> QuerySet[Export]:
    """Return the exports that are begun and that nobody is writing, the oldest first."""
    return jobs.waiting(Export)


def advance(export: Export) -> Export:
    """Make an export, or go on with it; return its row as it is then.

    One that is finished, or that somebody else is making, is left as it is. What is wrong is not
    raised: the state is then "failed", with the reason in `error`. Where the storage is away or the
    disk full, it stays "writing", with the reason, and is to be gone on with. Raises LeaseLost
    where somebody else took over.
    """
    held = jobs.acquire(export)
    if held is None:
        export.refresh_from_db()
        return export
    expected = (ExportError, SnapshotError, OSError)
    try:
        jobs.carry_out(held, partial(_make, held), expected=expected)
    finally:
        if held.state == State.FAILED:
            _remove_draft(held)
    return held


def give_up_lost() -> int:
    """Fail the exports whose workers died too often; return how many."""
    return jobs.give_up_lost(
        Export,
        attempts=ATTEMPTS,
        advice="Export it again.",
        on_given_up=_remove_draft,
    )


def delete(*, export: Export, by: AbstractBaseUser | None) -> None:
    """Delete an export and its files. Raises Busy while a worker makes it."""
    with transaction.atomic():
        free = Export.objects.filter(pk=export.pk).free()
        if not free.update(state=State.FAILED):
            raise Busy("It is being written: wait until it is done.")
        jobs.record(export, "was deleted", by=by)
        folder_deletions.schedule([export.folder])
        transaction.on_commit(lambda: _remove_draft(export))
        Export.objects.filter(pk=export.pk).delete()


def archive(export: Export, kind: str) -> Iterator[bytes]:
    """Yield a finished export as a zip or tar, a piece of a file at a time.

    The same export gives the same bytes. Raises ExportError for another kind, or where its files
    have gone, and StorageAway.
    """
    try:
        stored = Reader(export.folder)
    except FolderMissing as error:
        raise ExportError("The files of this export have gone: export it again.") from error
    pipe = _Pipe()
    return _pieces(export, stored, pipe, Archive(pipe, kind))


def _pieces(export: Export, stored: Reader, pipe: "_Pipe", out: Archive) -> Iterator[bytes]:
    for name in (*_names(stored), MANIFEST):
        with stored.open(name) as file:
            for _ in out.pieces(f"{export.file_name}/{name}", file, stored.files[name].size):
                yield pipe.take()
    out.close()
    yield pipe.take()


class _Pipe:
    """A buffer that an archive is written to and a response reads from."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data


def _make(held: Export) -> None:
    """Write, check and publish an export whose lease is held."""
    draft, report = _draft(held), jobs.reporter(held)
    write_report = exports.first_half(report) if held.address else report
    format = exports.format_of(held.format)
    options = exports.options_of(held.format, held.options)
    try:
        _check_space(held.snapshot, there=_size(draft))
    except DiskFull as error:  # it waits for room
        raise OSError(errno.ENOSPC, str(error)) from error
    with lease.kept(held):
        source = exports.source_of(held.snapshot, key=held.key)
    (draft / MANIFEST).unlink(missing_ok=True)
    with closing(FolderSink(draft)) as sink:
        result = run.write(source, format, options, sink, write_report)
    run.read_back(StoredFolder(draft), format, result, write_report)
    if held.address:
        with lease.kept(held):
            to_bucket.send(draft, held.address, exports.second_half(report))
    else:
        _store(held, draft)
    _finish(held, result)
    _remove_draft(held)


def _store(held: Export, draft: Path) -> None:
    """Put the files into the storage; what an earlier attempt put there is not sent again."""
    folder = f"{FOLDER}/{held.pk}"
    held.renew(folder=folder)
    digests = dict(listed(StoredFolder(draft)))
    with lease.kept(held):
        stored_folders.put(draft, folder, digests=digests, without={JOURNAL}, move=True, keep=False)


def _finish(held: Export, result: Result) -> None:
    with transaction.atomic():
        held.release(
            state=State.READY,
            progress=1.0,
            key="",  # whoever has the file cannot be told by it who answered
            counts=result.counts,
            left_out=result.left_out,
            sha256=result.sha256,
            bytes=result.size,
        )
        jobs.record(held, f"is ready: {exports.in_words(result.counts)}")


def _check_space(snapshot: Snapshot, there: int = 0) -> None:
    """Raise DiskFull where the disk has no place for as much as the snapshot holds."""
    try:
        files = stored_folders.index(snapshot.folder).values()
    except FolderMissing as error:
        raise SnapshotError(
            f"The folder of snapshot {snapshot.pk} has gone: freeze a new snapshot. {error}"
        ) from error
    needed = sum(file.size for file in files) - there
    free = shutil.disk_usage(stored_folders.working(FOLDER)).free - settings.UPLOAD_MIN_FREE_BYTES
    if needed > free:
        raise DiskFull(
            f"It needs about {needed / 1e9:.1f} GB, and {max(0, free) / 1e9:.1f} GB are free: free "
            "some space, or delete exports."
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _draft(export: Export) -> Path:
    return stored_folders.working(f"{FOLDER}/.draft-{export.pk}")


def _remove_draft(export: Export) -> None:
    shutil.rmtree(_draft(export), ignore_errors=True)


def _names(stored: Reader) -> Iterator[str]:
    """Yield the names of a finished export's files, as its manifest lists them."""
    with stored.open(MANIFEST) as file:
        for line in cast(Iterator[bytes], file):
            yield line.decode().rstrip("\n").partition("  ")[2]
