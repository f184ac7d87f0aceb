"""An import from a bucket: what it lists becomes the files of an upload, and is fetched like one.

A worker, or the command, goes on where an earlier attempt stopped: whatever has come stays, unless
the bucket has another version of it by now. Nothing is read before all has come.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, Sum
from django.template.defaultfilters import pluralize

from labeling import audit, buckets, lease
from labeling.batches import batched
from labeling.buckets import BucketError, Changed, Denied, Missing, Place
from labeling.buckets.client import AT_ONCE, Bucket, Object, check_installed
from labeling.imports import missing_report, staging, upload_paths, uploads
from labeling.imports.members import SourceError
from labeling.imports.options import Options
from labeling.imports.upload_paths import Checked
from labeling.imports.uploads import NAMED, UploadConflict, UploadError
from labeling.models import Event, Import, LeaseLost, Project, UploadedFile
from labeling.models.imports import ETAG_LENGTH, NAME_LENGTH

SETTING = "IMPORT_BUCKETS"
LISTED = ["size", "modified", "etag", "received", "problem"]  # what a list says of a file
SOME = 1_000  # rows at a time
PROBLEM_LENGTH = 200  # characters
SAVE_EVERY = 1.0  # seconds between two notes of what has come
CHANGED = "was changed in the bucket during the import: import it again"
GONE = "was deleted in the bucket during the import"
A_FOLDER = "its name ends in a slash, as a folder's"

OnProgress = Callable[[int, int], None]  # is given the bytes that have come, and those of all
State = Import.State


class Wanted(NamedTuple):
    """What is needed of an `UploadedFile` to fetch it."""

    number: int
    path: str
    size: int
    etag: str


Fetched = Future[tuple[Wanted, str]]  # a file, and why it is refused; empty: it is not


def place_of(address: str) -> Place:
    """Return where an address leads, if imports may come from there. Raises BucketError."""
    check_installed()
    return buckets.find(address, allowed=settings.IMPORT_BUCKETS, setting=SETTING)


def begin(
    *,
    project: Project,
    by: AbstractBaseUser,
    address: str,
    options: Options,
    start_at_once: bool = False,
    concepts: Sequence[str] | None = None,
) -> Import:
    """Have a worker import what lies in a bucket. Raises `UploadError`.

    start_at_once, concepts, options: as `uploads.complete` takes them.
    """
    try:
        place = place_of(address)
    except BucketError as error:
        raise UploadError(str(error)) from error
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        _check_open(project)
        record = Import.objects.create(
            project=project,
            state=State.FETCHING,
            name=place.address.name[:NAME_LENGTH],
            address=str(place.address),
            requested_by_id=by.pk,
            start_at_once=start_at_once,
            concepts=None if concepts is None else list(concepts),
            options=options.as_json(),
        )
        record.folder = staging.new_folder(record)
        record.save(update_fields=["folder"])
        audit.record(
            project=project,
            kind=Event.Kind.IMPORT,
            message=f"Began to fetch “{record}” from {record.address}.",
            by=by,
            row=record,
        )
    return record


def fetch(record: Import, on_progress: OnProgress = lambda received, size: None) -> None:
    """Fetch what a bucket holds and has not come yet, of an import whose lease is held.

    Objects that may not be read, or are others by now than the bucket listed, are refused one by
    one, and named in the report. on_progress: what it raises ends the fetching. Raises
    `SourceError`, which says what is missing; `DiskFull` and StorageAway.
    """
    try:
        source = _Source(record, Bucket(place_of(record.address)))
        source.announce()
        staging.check_room(record.bytes - record.received)
        _Fetching(source, on_progress).run()
        source.check_again()
    except BucketError as error:
        missing_report.keep(record)
        raise SourceError(_failure(record, error)) from error


def _check_open(project: Project) -> None:
    if project.state == project.State.ARCHIVED:
        raise UploadConflict("The project is archived: open it again to add pictures.")
    running = project.imports.filter(state__in=(State.UPLOADING, State.FETCHING))
    if running.count() >= settings.UPLOAD_MAX_UNFINISHED:
        raise UploadConflict(
            f"{settings.UPLOAD_MAX_UNFINISHED} uploads of this project are unfinished: "
            "finish or cancel one of them."
        )


def _failure(record: Import, error: BucketError) -> str:
    """Return what went wrong, and what is missing because of it."""
    missing = uploads.missing(record)
    count = missing.count()
    if not count:
        return f"{record.address} cannot be read: {error}."
    names = ", ".join(row.path for row in missing[:NAMED])
    more = f" and {count - NAMED:,} more" if count > NAMED else ""
    return (
        f"{record.address} failed on the way: {error}. {count:,} of {record.files:,} "
        f"file{pluralize(record.files)} are missing: {names}{more}. What has come is kept: try "
        "it again."
    )


class _Source:
    """The objects that are meant, and the rows of the files that they become."""

    def __init__(self, record: Import, bucket: Bucket) -> None:
        self.record, self.bucket = record, bucket
        address = bucket.place.address
        self._folder, self._name = address.folder, address.name
        self._one = self._find(address.prefix) if address.prefix else None  # one file, no folder

    def announce(self) -> None:
        """Make the list of the bucket's objects that of the import's files. Raises SourceError."""
        listed: set[int] = set()
        size = 0
        for page in self._pages():
            checked = [(each, self._check(each)) for each in page]
            taken = [(each, path) for each, path in checked if path is not None]
            size += sum(each.size for each, path in taken if not path.problem)
            try:
                uploads.check_limits(len(listed) + len(taken), size)
            except UploadError as error:
                raise SourceError(f"{self.record.address} holds too much. {error}") from error
            listed |= self._save(taken, listed)
            self.record.renew(files=len(listed))
        if not listed:
            raise BucketError("nothing lies there")
        self._refuse(self._others(listed), GONE)
        self._count()

    def check_again(self) -> None:
        """Refuse the files whose objects are others by now than when they were listed."""
        listed: set[int] = set()
        for page in self._pages():
            checked = [(each, self._check(each)) for each in page]
            objects = {path.path: each for each, path in checked if path and not path.problem}
            rows = self.record.uploaded_files.filter(path__in=objects, problem="")
            versions = rows.values_list("number", "path", "size", "etag")
            wanted = [Wanted(*row) for row in versions]
            listed |= {row.number for row in wanted}
            self._refuse(
                [row.number for row in wanted if not _is_same(row, objects[row.path])], CHANGED
            )
        self._refuse(self._others(listed), GONE)
        self._count()

    def key_of(self, path: str) -> str:
        """Return the key of a file that is not refused."""
        return self._one.key if self._one is not None else f"{self._folder}{path}"

    def _find(self, key: str) -> Object | None:
        """Return the object of just this key; an empty one only marks a folder."""
        try:
            found = self.bucket.find(key)
        except Denied:  # as of a key that is not there, where listing is not allowed either
            return None
        return found if found is not None and found.size else None

    def _pages(self) -> Iterator[list[Object]]:
        if self._one is None:
            yield from self.bucket.pages(self._folder)
            return
        now = self._find(self._one.key)
        yield [now] if now is not None else []

    def _path(self, key: str) -> str:
        return self._name if self._one is not None else key.removeprefix(self._folder)

    def _check(self, listed: Object) -> Checked | None:
        """Return the path of an object in the source, and why it is refused; None: passed over."""
        path = self._path(listed.key)
        if path.endswith("/") or not path:  # as tools mark a folder that is empty
            return Checked(upload_paths.printable(path), A_FOLDER) if listed.size else None
        return upload_paths.check(path, listed.size)

    def _save(self, taken: Sequence[tuple[Object, Checked]], before: set[int]) -> set[int]:
        """Add the files of a page; begin again with those that have changed. Return the numbers.

        before: the numbers of those on earlier pages.
        """
        rows = self._rows(path.path for _, path in taken)
        new, changed, numbers = list[UploadedFile](), list[UploadedFile](), set[int]()
        number = self._next_number()
        for listed, (path, problem) in taken:
            row = rows.get(path)
            if row is not None and (row.number in before or row.number in numbers):
                # two that are refused, and look alike
                path = upload_paths.printable(f"{path} ({_digest(listed.key)})")
                row = self._rows([path]).get(path)
            if row is None:
                row = UploadedFile(upload=self.record, number=number, path=path, size=-1)
                number += 1
                new.append(row)
                rows[path] = row
            numbers.add(row.number)
            was = [getattr(row, name) for name in LISTED]
            self._describe(row, listed, problem)
            if row.pk is not None and was != [getattr(row, name) for name in LISTED]:
                changed.append(row)
        UploadedFile.objects.bulk_create(new)
        UploadedFile.objects.bulk_update(changed, LISTED)
        return numbers

    def _describe(self, row: UploadedFile, listed: Object, problem: str) -> None:
        """Set a row to what is listed; what came of another version of it goes."""
        if not _is_same(row, listed):
            row.received = 0
            if row.pk is not None:
                staging.delete(self.record, row.number)
        elif staging.is_local():  # where what has come may not have been noted
            row.received = row.size if staging.path_of(self.record, row.number).exists() else 0
        row.size, row.modified = listed.size, listed.modified
        row.etag, row.problem = _etag(listed), problem

    def _rows(self, paths: Iterable[str]) -> dict[str, UploadedFile]:
        return {row.path: row for row in self.record.uploaded_files.filter(path__in=list(paths))}

    def _next_number(self) -> int:
        last = self.record.uploaded_files.order_by("-number").first()
        return 0 if last is None else last.number + 1

    def _others(self, listed: set[int]) -> list[int]:
        """Return the numbers of the files that were not listed, and are not refused."""
        taken = self.record.uploaded_files.filter(problem="").values_list("number", flat=True)
        return [number for number in taken if number not in listed]

    def _refuse(self, numbers: Sequence[int], problem: str) -> None:
        for some in batched(numbers, SOME):
            self.record.uploaded_files.filter(number__in=some).update(problem=problem, received=0)
        for number in numbers:
            staging.delete(self.record, number)

    def _count(self) -> None:
        """Note how many files and bytes there are, and how much of them has come."""
        rows = self.record.uploaded_files
        sums = rows.filter(problem="").aggregate(size=Sum("size"), received=Sum("received"))
        self.record.renew(
            files=rows.count(), bytes=sums["size"] or 0, received=sums["received"] or 0
        )


class _Fetching:
    """Fetches the files that are missing, several at a time, and notes what has come."""

    def __init__(self, source: _Source, on_progress: OnProgress) -> None:
        self._source, self._record = source, source.record
        self._on_progress = lease.now_and_then(self._note, seconds=SAVE_EVERY)
        self._tell = on_progress
        self._whole: list[int] = []  # numbers that are not noted yet
        self._came = self._record.received  # bytes, of files that are not whole too
        self._lock, self._stop = threading.Lock(), threading.Event()

    def run(self) -> None:
        """Fetch all that is missing. Raises BucketError, `DiskFull`, and what is told raises."""
        running: set[Fetched] = set()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket") as pool:
            try:
                for wanted in self._missing():
                    running.add(pool.submit(self._fetch, wanted))
                    if len(running) >= 2 * AT_ONCE:
                        running = self._take(running)
                while running:
                    running = self._take(running)
            finally:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                with suppress(LeaseLost):
                    self._take_whole(running)
                    self._save()

    def _missing(self) -> Iterator[Wanted]:
        """Yield the files of which something is missing, in their order."""
        last = -1
        while True:
            rows = uploads.missing(self._record).filter(number__gt=last)
            page = [Wanted(*row) for row in rows.values_list(*Wanted._fields)[:SOME]]
            yield from page
            if not page:
                return
            last = page[-1].number

    def _fetch(self, wanted: Wanted) -> tuple[Wanted, str]:
        """Fetch a file, in a thread; return it, and why it is refused. Raises BucketError."""
        listed = Object(self._source.key_of(wanted.path), wanted.size, wanted.etag)
        path = staging.path_of(self._record, wanted.number)
        try:
            self._source.bucket.fetch(listed, path, self._on_piece)
            staging.put(self._record, wanted.number, path)
        except Changed:
            return wanted, CHANGED
        except Missing:
            return wanted, GONE
        except Denied as error:
            return wanted, str(error)
        except OSError as error:
            if error.errno not in staging.NO_ROOM:
                raise
            raise staging.DiskFull(staging.FULL) from error
        return wanted, ""

    def _on_piece(self, size: int) -> None:
        with self._lock:
            self._came += size
        if self._stop.is_set():
            raise BucketError("it was stopped")

    def _take(self, running: set[Fetched]) -> set[Fetched]:
        """Wait until a file is whole, or a moment has passed; return what is still fetched."""
        done, others = wait(running, timeout=SAVE_EVERY, return_when=FIRST_COMPLETED)
        for future in done:
            self._end(*future.result())
        self._on_progress(self._came)
        return others

    def _take_whole(self, running: Iterable[Fetched]) -> None:
        """Keep what has come whole, although another file failed."""
        for future in running:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._end(*future.result())

    def _end(self, wanted: Wanted, problem: str) -> None:
        if problem:
            rows = self._record.uploaded_files.filter(number=wanted.number)
            rows.update(problem=problem[:PROBLEM_LENGTH], received=0)
        else:
            self._whole.append(wanted.number)

    def _note(self, came: int) -> None:
        """Note what has come, and say so. Raises `DiskFull`, LeaseLost, and what is told raises."""
        self._save()
        self._tell(min(came, self._record.bytes), self._record.bytes)
        staging.check_room(0)

    def _save(self) -> None:
        """Note what has come in the rows. Raises LeaseLost."""
        rows = self._record.uploaded_files.filter(number__in=self._whole)
        rows.update(received=F("size"))
        self._whole = []
        self._record.renew(received=min(self._came, self._record.bytes))


def _is_same(row: UploadedFile | Wanted, listed: Object) -> bool:
    """Whether an object is still the one that was listed, as far as its bucket tells."""
    return (row.size, row.etag) == (listed.size, _etag(listed))


def _etag(listed: Object) -> str:
    return listed.etag if len(listed.etag) <= ETAG_LENGTH else ""


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
