"""Members → pictures, batch by batch: one batch is decoded while the one before it is stored."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Self, TypeVar

from django.conf import settings

from labeling import images
from labeling.decoding import ImageRejected, Picture
from labeling.decoding.pool import DecodingPool
from labeling.imports.members import Member, size_problem
from labeling.models import Project

BATCH = 500  # files that are stored in one transaction …
BATCH_BYTES = 32 * 2**20  # … and bytes of them at most, as they came
CHUNK = 50  # files that one process decodes before it is given others …
CHUNK_BYTES = 2**20  # … and bytes of them at most

S = TypeVar("S")
T = TypeVar("T")
Result = Picture | ImageRejected
Reject = Callable[[str, str], None]  # is given a path and a reason


class File(NamedTuple):
    """A member that was read, with the hash of what came."""

    path: str
    data: bytes
    sha256: str


@dataclass(frozen=True)
class Batch:
    """Some files of the source, and what became of the new ones."""

    sha256s: dict[str, str]  # by path
    results: dict[str, Result]  # by SHA-256, of those that were decoded
    known: dict[str, bytes]  # by SHA-256, as they came, of those that the project had
    pool: DecodingPool
    written: images.Written | None = None

    def decode(self, sha256s: Collection[str]) -> Self:
        """Decode more of its files: those that the project has no longer. Raises `PoolError`."""
        decoded = self.pool.submit([self.known[sha256] for sha256 in sha256s]).result()
        results = dict(zip(sha256s, decoded, strict=True))
        return replace(self, results=self.results | results)

    def write(self) -> Self:
        """Write the files of its pictures, before it is their turn to be stored."""
        pictures = [each for each in self.results.values() if not isinstance(each, ImageRejected)]
        return replace(self, written=images.write_ahead(pictures))


class Stretch(NamedTuple, Generic[S]):
    """Members that belong together, and where what is refused of them is noted."""

    share: S
    members: Iterable[Member]
    reject: Reject


class Ready(NamedTuple, Generic[S]):
    """A batch of a stretch that can be stored, and whether it is its last."""

    share: S
    batch: Batch
    is_last: bool


def batches(
    *, stretches: Iterable[Stretch[S]], size: int, project: Project, pool: DecodingPool
) -> Iterator[Ready[S]]:
    """Read all members and decode what the project does not have; each stretch by itself.

    size: members of a stretch, at most. Only two batches are in memory: one that is stored, and one
    that is decoded meanwhile. Each stretch ends with a batch, which may be empty. Raises
    `PoolError`.
    """
    started = (
        (stretch.share, _Started(files, project, pool), is_last)
        for stretch in stretches
        for files, is_last in _batches_of(stretch, size)
    )
    return (Ready(share, batch.finish(), last) for share, batch, last in _one_ahead(started))


def _batches_of(stretch: Stretch[S], size: int) -> Iterator[tuple[list[File], bool]]:
    """Yield the files of a stretch, batch by batch, and whether more will come."""
    files: list[File] = []
    total = 0
    for place, member in enumerate(stretch.members, start=1):
        if file := _read(member, stretch.reject):
            files.append(file)
            total += len(file.data)
        if place == size:
            break
        if len(files) == BATCH or total >= BATCH_BYTES:
            yield files, False
            files, total = [], 0
    yield files, True


class _Started:
    """A batch whose new files are being decoded."""

    def __init__(self, files: list[File], project: Project, pool: DecodingPool) -> None:
        self._sha256s, self._pool = {file.path: file.sha256 for file in files}, pool
        stored = images.stored_sources(project=project, source_sha256s=self._sha256s.values())
        new = {file.sha256: file for file in files if file.sha256 not in stored}
        self._known = {file.sha256: file.data for file in files if file.sha256 in stored}
        self._chunks = [
            ([file.sha256 for file in chunk], pool.submit([file.data for file in chunk]))
            for chunk in _grouped(new.values(), CHUNK, CHUNK_BYTES)
        ]

    def finish(self) -> Batch:
        """Wait until all are decoded."""
        results: dict[str, Result] = {}
        for sha256s, future in self._chunks:
            results.update(zip(sha256s, future.result(), strict=True))
        return Batch(self._sha256s, results, self._known, self._pool)


def _read(member: Member, reject: Reject) -> File | None:
    """Return a file with its hash, or note why it is refused."""
    try:
        if reason := size_problem(member.size, settings.IMAGE_MAX_BYTES):
            raise ImageRejected(reason)
        data = member.read(settings.IMAGE_MAX_BYTES)
    except ImageRejected as error:
        reject(member.path, str(error))
        return None
    return File(member.path, data, hashlib.sha256(data).hexdigest())


def _grouped(files: Iterable[File], count: int, size: int) -> Iterator[list[File]]:
    """Yield lists of `count` files, or of fewer that reach `size` bytes."""
    group: list[File] = []
    total = 0
    for file in files:
        group.append(file)
        total += len(file.data)
        if len(group) == count or total >= size:
            yield group
            group, total = [], 0
    if group:
        yield group


def _one_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, each after the next one was fetched."""
    iterator = iter(items)
    for current in iterator:
        for following in iterator:
            yield current
            current = following
        yield current
