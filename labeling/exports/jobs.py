"""Exports that a worker makes: begun by whoever asks, carried on after a crash, kept for download.

The files are written into a folder of this machine, with a journal of what is whole, so that
another attempt goes on where the last one was killed. Once they are hashed and counted they are
moved into the storage, which may be a bucket, or put into the bucket that was named.
"""

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet

from labeling import exports, jobs, lease, local_files
from labeling.exports import answers, run, to_bucket
from labeling.exports.errors import Busy, DiskFull, ExportError
from labeling.exports.run import Result
from labeling.exports.sinks import MANIFEST, Archive, FolderSink
from labeling.exports.stored import StoredFolder, listed
from labeling.models import Export, Snapshot
from labeling.snapshot_folder import SnapshotError

ATTEMPTS = 5  # after which an export whose workers died is given up
FOLDER = "exports"  # in the storage
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
    _check_space(Path(snapshot.folder))
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
    raised: the state is then "failed", with the reason in `error`. Raises LeaseLost where somebody
    else took over.
    """
    held = jobs.acquire(export)
    if held is None:
        export.refresh_from_db()
        return export
    expected = (ExportError, SnapshotError, OSError)
    try:
        jobs.carry_out(held, partial(_make, held), expected=expected, reason=_reason)
    finally:
        if held.state == State.FAILED:
            shutil.rmtree(_draft(held), ignore_errors=True)
    return held


def give_up_lost() -> int:
    """Fail the exports whose workers died too often; return how many."""
    return jobs.give_up_lost(
        Export,
        attempts=ATTEMPTS,
        advice="Export it again.",
        on_given_up=lambda export: shutil.rmtree(_draft(export), ignore_errors=True),
    )


def delete(*, export: Export, by: AbstractBaseUser | None) -> None:
    """Delete an export and its files. Raises Busy while a worker makes it."""
    with transaction.atomic():
        free = Export.objects.filter(pk=export.pk).free()
        if not free.update(state=State.FAILED):
            raise Busy("It is being written: wait until it is done.")
        jobs.record(export, "was deleted", by=by)
        draft, folder = _draft(export), export.folder
        Export.objects.filter(pk=export.pk).delete()
        transaction.on_commit(lambda: _delete_files(draft, folder))


def archive(export: Export, kind: str) -> Iterator[bytes]:
    """Yield a finished export as a zip or tar, a piece of a file at a time.

    The same export gives the same bytes. Raises ExportError for another kind.
    """
    pipe = _Pipe()
    out = Archive(pipe, kind)
    for name in (*_names(export), MANIFEST):
        path = f"{export.folder}/{name}"
        with default_storage.open(path, "rb") as file:
            for _ in out.pieces(f"{export.file_name}/{name}", file, default_storage.size(path)):
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
    source = exports.source_of(held.snapshot, key=held.key)
    options = exports.options_of(held.format, held.options)
    _check_space(Path(held.snapshot.folder), there=_size(draft))
    (draft / MANIFEST).unlink(missing_ok=True)
    with closing(FolderSink(draft)) as sink:
        result = run.write(source, format, options, sink, write_report)
    run.read_back(StoredFolder(draft), format, result, write_report)
    if held.address:
        with lease.kept(held):
            to_bucket.send(draft, held.address, exports.second_half(report))
    else:
        _store(held, draft, sink)
    _finish(held, result)
    shutil.rmtree(draft, ignore_errors=True)


def _store(held: Export, draft: Path, sink: FolderSink) -> None:
    """Move the files into the storage; what an earlier attempt moved is left there."""
    folder = f"{FOLDER}/{held.pk}"
    held.renew(folder=folder)
    try:
        target = Path(default_storage.path(folder))
    except NotImplementedError:
        _upload(held, draft)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)  # moved by an attempt that was killed afterwards
    sink.drop_journal()
    shutil.move(draft, target)


def _upload(held: Export, draft: Path) -> None:
    """Put the files into a storage that is no folder of this machine, the manifest last."""
    names = [name for name, _ in listed(StoredFolder(draft))]
    for name in (*names, MANIFEST):
        stored, path = f"{held.folder}/{name}", draft / name
        if default_storage.exists(stored):
            if default_storage.size(stored) == path.stat().st_size:
                continue
            default_storage.delete(stored)
        with path.open("rb") as file:
            saved = default_storage.save(stored, File(file))
        if saved != stored:
            raise ExportError(f"The storage keeps {stored} as {saved}: export it again.")
        held.renew()


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


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space, delete exports, and export it again."
    return jobs.reason_of(error)


def _check_space(snapshot: Path, there: int = 0) -> None:
    """Raise DiskFull where the disk has no place for as much as the snapshot holds."""
    root = Path(settings.EXPORT_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    needed = _size(snapshot) - there
    free = shutil.disk_usage(root).free - settings.UPLOAD_MIN_FREE_BYTES
    if needed > free:
        raise DiskFull(
            f"It needs about {needed / 1e9:.1f} GB, and {max(0, free) / 1e9:.1f} GB are free: free "
            "some space, or delete exports."
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _draft(export: Export) -> Path:
    return Path(settings.EXPORT_ROOT) / f".draft-{export.pk}"


def _names(export: Export) -> Iterator[str]:
    """Yield the names of a finished export's files, as its manifest lists them."""
    with default_storage.open(f"{export.folder}/{MANIFEST}", "rb") as file:
        for line in cast(Iterator[bytes], file):
            yield line.decode().rstrip("\n").partition("  ")[2]


def _delete_files(draft: Path, stored: str) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    folders = [stored] if stored else []
    while folders:
        folder = folders.pop()
        inner, names = local_files.listed(folder)
        folders += [f"{folder}/{name}" for name in inner]
        for name in names:
            default_storage.delete(f"{folder}/{name}")
    with suppress(NotImplementedError):
        if stored:
            shutil.rmtree(default_storage.path(stored), ignore_errors=True)
