"""Put an export that is whole and counted into a bucket, and count it there once more.

`MANIFEST.sha256` is written last: what has none is not whole. Until then `.unfinished` names the
manifest that is to come, so that another attempt at the same export goes on, and no other export
is mixed with it.
"""

import hashlib
import threading
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from labeling import buckets
from labeling.batches import batched
from labeling.buckets import Address, BucketError, Changed, Denied, Place, writing
from labeling.buckets.client import AT_ONCE, Bucket, Object, check_installed
from labeling.exports.errors import ExportError
from labeling.exports.run import OnProgress
from labeling.exports.sinks import MANIFEST
from labeling.exports.stored import StoredFolder, listed

SETTING = "EXPORT_BUCKETS"
MARK = ".unfinished"
SOME = 64  # files that are handed to the threads at a time
REPORT_EVERY = 1.0  # seconds
IN_USE = "{address} is in use: name a prefix below which nothing lies yet."
ANOTHER = (
    "Another export to {address} was begun and is not whole: name another prefix, or delete what "
    "lies there."
)


def place_of(address: str) -> Place:
    """Return where an address leads, if exports may go there. Raises ExportError."""
    try:
        check_installed()
        return buckets.find(address, allowed=settings.EXPORT_BUCKETS, setting=SETTING)
    except BucketError as error:
        raise ExportError(str(error)) from error


def send(folder: Path, address: str, on_progress: OnProgress = lambda share: None) -> None:
    """Put the files of a folder into a bucket, below an address that is not in use.

    What an earlier attempt put there is kept, if it is the same. Raises ExportError: what has come
    by then stays there, without a manifest.
    """
    place = place_of(address)
    try:
        _Sending(folder, Bucket(place), on_progress).run()
    except BucketError as error:
        raise ExportError(
            f"{place.address} cannot be written: {error}. What has come there is kept, without "
            f"its {MANIFEST}: export it to there again to go on."
        ) from error


class _Sending:
    def __init__(self, folder: Path, bucket: Bucket, on_progress: OnProgress) -> None:
        self._folder, self._bucket, self._on_progress = folder, bucket, on_progress
        self._address = bucket.place.address
        self._files = dict(listed(StoredFolder(folder)))  # name → SHA-256
        self._size = max(1, sum((folder / name).stat().st_size for name in self._files))
        self._sent, self._lock = 0, threading.Lock()

    def run(self) -> None:
        self._check_around()
        there = self._there()
        if self._is_whole(there):
            self._check(there)
            return
        self._mark(there)
        for names in batched(list(self._files), SOME):
            self._put(names, there)
        self._check(self._there())
        self._put_manifest()
        self._bucket.delete(self._key(MARK))

    def _check_around(self) -> None:
        """Raise ExportError where the address lies within another export."""
        parts = self._address.prefix.split("/")
        for count in range(len(parts) if self._address.prefix else 0):
            around = Address(self._address.bucket, "/".join(parts[:count]))
            for name in (MANIFEST, MARK):
                if self._is_there(f"{around.folder}{name}"):
                    raise ExportError(f"Another export lies at {around}: name a prefix beside it.")

    def _is_there(self, key: str) -> bool:
        """Whether there is an object of that key, as far as it may be looked for."""
        try:
            return self._bucket.find(key) is not None
        except Denied:
            return False

    def _key(self, name: str) -> str:
        return f"{self._address.folder}{name}"

    def _there(self) -> dict[str, Object]:
        """Return what lies below the address, by name. Raises ExportError for very much of it."""
        folder = self._address.folder
        there: dict[str, Object] = {}
        for page in self._bucket.pages(folder):
            for each in page:
                if each.key != folder or each.size:  # as tools mark a folder that is empty
                    there[each.key.removeprefix(folder)] = each
            if len(there) > len(self._files) + len((MARK, MANIFEST)):
                raise ExportError(IN_USE.format(address=self._address))
        return there

    def _is_whole(self, there: dict[str, Object]) -> bool:
        """Whether this very export is there. Raises ExportError where another one is."""
        if MANIFEST not in there:
            return False
        if not self._is_manifest(there[MANIFEST]):
            raise ExportError(IN_USE.format(address=self._address))
        return True

    def _is_manifest(self, found: Object) -> bool:
        path = self._folder / MANIFEST
        if writing.is_same(found, path):
            return True
        return found.size == path.stat().st_size and (
            writing.sha256(self._bucket, found.key) == _digest(path)
        )

    def _mark(self, there: dict[str, Object]) -> None:
        """Take the address for this export. Raises ExportError where it is in use."""
        mark = _digest(self._folder / MANIFEST).encode()
        if MARK not in there:
            if there:
                raise ExportError(IN_USE.format(address=self._address))
            with suppress(Changed):  # another one was quicker, of the same export perhaps
                self._bucket.put(self._key(MARK), mark, new=True)
        if b"".join(self._bucket.read(self._key(MARK))) != mark:
            raise ExportError(ANOTHER.format(address=self._address))
        if others := there.keys() - self._files.keys() - {MARK}:
            raise ExportError(f"{IN_USE.format(address=self._address)} It holds {min(others)}.")

    def _put(self, names: Iterable[str], there: dict[str, Object]) -> None:
        """Put some files, several at a time. Raises the first BucketError."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket") as pool:
            puts = [pool.submit(self._put_one, name, there.get(name)) for name in names]
            others = set(puts)
            while others:
                done, others = wait(others, timeout=REPORT_EVERY, return_when=FIRST_EXCEPTION)
                if any(future.exception() for future in done):
                    pool.shutdown(cancel_futures=True)
                for future in done:
                    future.result()
                self._on_progress(min(1.0, self._sent / self._size))

    def _put_one(self, name: str, found: Object | None) -> None:
        path = self._folder / name
        if found is not None and writing.is_same(found, path):
            self._on_piece(found.size)
            return
        writing.put_file(self._bucket, self._key(name), path, self._on_piece)

    def _on_piece(self, size: int) -> None:
        with self._lock:
            self._sent += size

    def _check(self, there: dict[str, Object]) -> None:
        """Compare what is there with what was written. Raises BucketError."""
        names = there.keys() - {MARK, MANIFEST}
        if names != self._files.keys():
            raise BucketError(f"it holds {len(names):,} files, not {len(self._files):,}")
        for name, digest in self._files.items():
            path, found = self._folder / name, there[name]
            if writing.is_same(found, path):
                continue
            # where its ETags are no hashes, what is there is read again
            if found.size != path.stat().st_size or (
                writing.sha256(self._bucket, found.key) != digest
            ):
                raise BucketError(f"{name} is not there as it was written")

    def _put_manifest(self) -> None:
        key = self._key(MANIFEST)
        self._bucket.put(key, (self._folder / MANIFEST).read_bytes())
        found = self._bucket.find(key)
        if found is None or not self._is_manifest(found):
            raise BucketError(f"{MANIFEST} is not there as it was written")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
