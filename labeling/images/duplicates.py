"""Find near-duplicates: candidates by their difference hashes, confirmed by their pixels."""

import io
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.batches import batched
from labeling.images import windows
from labeling.models import Image as ImageRow
from labeling.models import Project, RemovedImage
from labeling.stored_folders import objects

MAX_DISTANCE = 6  # bits of 64 that may differ
MAX_DIFFERENCE = 8.0  # of 255: root mean square over the pixels of thumbnails
MAX_CANDIDATES = 5  # compared by pixels, nearest first
SIDE = 32  # pixels of a thumbnail
MAX_CACHED = 20_000  # thumbnails, 3 KB each
BATCH, BLOCK = 256, 2_048  # hashes compared with each other at once, within a processor's cache
FAR = 64  # more bits than `MAX_DISTANCE`

Hashes = NDArray[np.uint64]
Thumbnail = NDArray[np.uint8]
Candidate = tuple[int, int]  # the bits that differ, and the image's id


class HashedImage(NamedTuple):
    """A new image: its id, its signed 64-bit difference hash and its stored bytes."""

    image_id: int
    perceptual_hash: int
    data: bytes


class DuplicateIndex:
    """The hashes of a project's images without its near-duplicates, searched by brute force.

    A million hashes are 8 MB, and one search is an xor and a bit count: milliseconds.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._thumbnails: dict[int, Thumbnail] = {}
        self._size = 0
        self._removals = 0  # the newest removal that is taken into account
        self._ids = np.zeros(64, dtype=np.int64)  # ascending
        self._hashes = np.zeros(64, dtype=np.uint64)

    def refresh(self) -> None:
        """Read what the project has had added or removed since, by others too."""
        removals = RemovedImage.objects.filter(project=self._project).order_by("-pk")
        newest_removal = removals.values_list("pk", flat=True).first() or 0
        if newest_removal > self._removals:
            self._removals, self._size = newest_removal, 0
        newest = int(self._ids[self._size - 1]) if self._size else 0
        rows = ImageRow.objects.filter(project=self._project, near_duplicate_of=None, id__gt=newest)
        self._extend(list(rows.order_by("id").values_list("id", "perceptual_hash")))

    def add(self, images: Sequence[HashedImage]) -> list[int | None]:
        """Return for each image the id of the one that it repeats, if any; add the others.

        An image may repeat one before it in the same batch. Pixels are compared in colour: a red
        and a blue heart have the same hash.
        """
        batch = {image.image_id: image for image in images}
        return [original for part in batched(images, BATCH) for original in self._add(part, batch)]

    def _add(
        self, images: Sequence[HashedImage], batch: dict[int, HashedImage]
    ) -> list[int | None]:
        hashes = _unsigned([image.perceptual_hash for image in images])
        candidates = self._candidates(hashes)
        within = np.bitwise_count(hashes[:, np.newaxis] ^ hashes)  # distances within the batch
        originals: list[int | None] = []
        for row, image in enumerate(images):
            candidates[row] += [
                (bits, images[other].image_id) for bits, other in _nearest(within[row, :row])
            ]
            originals.append(self._original(image, candidates[row], batch))
            if originals[-1] is not None:
                within[:, row] = FAR  # nothing repeats what is itself a repetition
        repeat_none = [
            (image.image_id, image.perceptual_hash)
            for image, original in zip(images, originals, strict=True)
            if original is None
        ]
        self._extend(repeat_none)
        return originals

    def _original(
        self, image: HashedImage, candidates: list[Candidate], batch: dict[int, HashedImage]
    ) -> int | None:
        """Return the id of the nearest candidate with the same pixels; the older of two as near."""
        if not candidates:
            return None
        own = self._thumbnail(image.image_id, batch)
        nearest = sorted(candidates, key=lambda candidate: candidate[0])[:MAX_CANDIDATES]
        return next((pk for _, pk in nearest if look_alike(own, self._thumbnail(pk, batch))), None)

    def _candidates(self, hashes: Hashes) -> list[list[Candidate]]:
        """Return the nearest images of each hash, the older of two as near first."""
        candidates: list[list[Candidate]] = [[] for _ in hashes]
        for start in range(0, self._size, BLOCK):
            known = self._hashes[start : min(start + BLOCK, self._size)]
            distances = np.bitwise_count(hashes[:, np.newaxis] ^ known)
            for row in np.flatnonzero(distances.min(axis=1) <= MAX_DISTANCE).tolist():
                candidates[row] += [
                    (bits, int(self._ids[start + column]))
                    for bits, column in _nearest(distances[row])
                ]
        return candidates

    def _extend(self, rows: Sequence[tuple[int, int]]) -> None:
        size = self._size + len(rows)
        if size > len(self._ids):
            self._ids = np.resize(self._ids, 2 * size)
            self._hashes = np.resize(self._hashes, 2 * size)
        self._ids[self._size : size] = [image_id for image_id, _ in rows]
        self._hashes[self._size : size] = _unsigned([hashed for _, hashed in rows])
        self._size = size

    def _thumbnail(self, image_id: int, batch: dict[int, HashedImage]) -> Thumbnail:
        if image_id not in self._thumbnails:
            self._cache(image_id, thumbnail(_data(image_id, batch)))
        return self._thumbnails[image_id]

    def _cache(self, image_id: int, image: Thumbnail) -> None:
        self._thumbnails[image_id] = image
        if len(self._thumbnails) > MAX_CACHED:
            del self._thumbnails[next(iter(self._thumbnails))]


def _unsigned(hashes: Sequence[int]) -> Hashes:
    return np.array(hashes, dtype=np.int64).view(np.uint64)


def _nearest(distances: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return distance and position of the nearest within `MAX_DISTANCE`, the first ones first."""
    near = np.flatnonzero(distances <= MAX_DISTANCE)
    if not len(near):
        return []
    nearest = near[np.argsort(distances[near], kind="stable")][:MAX_CANDIDATES]
    return list(zip(distances[nearest].tolist(), nearest.tolist(), strict=True))


def _data(image_id: int, batch: dict[int, HashedImage]) -> bytes:
    """Return the stored bytes of an image of the batch, or of one that is stored."""
    if image_id in batch:
        return batch[image_id].data
    name = ImageRow.objects.values_list("file", flat=True).get(pk=image_id)
    return objects.read(name)


def relink(removed: Collection[int]) -> None:
    """Give the near-duplicates of images that are being removed another original.

    It is the oldest of them, as far as the others look like it; the rest are no near-duplicates.
    """
    rows = ImageRow.objects.filter(near_duplicate_of__in=removed).exclude(pk__in=removed)
    left: dict[int, list[ImageRow]] = defaultdict(list)
    for row in rows.order_by("pk"):
        assert row.near_duplicate_of_id is not None
        left[row.near_duplicate_of_id].append(row)
    for family in left.values():
        _relink_family(family)
    ImageRow.objects.bulk_update(
        [row for family in left.values() for row in family], ["near_duplicate_of"]
    )


def _relink_family(family: Sequence[ImageRow]) -> None:
    """Set the originals of images that repeated the same one, the oldest first."""
    originals: list[ImageRow] = []
    for row in family:
        same = (each for each in originals if _repeats(row, each))
        original = next(same, None)
        row.near_duplicate_of = original
        if original is None:
            originals.append(row)


def _repeats(row: ImageRow, other: ImageRow) -> bool:
    """Whether two stored images are near-duplicates; not where a file cannot be read."""
    bits = ((row.perceptual_hash ^ other.perceptual_hash) % 2**64).bit_count()
    try:
        data = _data(row.pk, {}), _data(other.pk, {})
        if bits <= MAX_DISTANCE and look_alike(*map(thumbnail, data)):
            return True
        return windows.show_the_same(*map(windows.cut, data))
    except OSError:
        return False


def thumbnail(data: bytes) -> Thumbnail:
    """Return an RGB thumbnail (32, 32, 3) of a stored image."""
    with Image.open(io.BytesIO(data), formats=("WEBP", "JPEG")) as image:
        image.draft("RGB", (4 * SIDE, 4 * SIDE))
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small)


def look_alike(first: Thumbnail, second: Thumbnail) -> bool:
    """Whether the root mean square of the pixels' differences is small."""
    difference = first.astype(np.float32) - second
    return bool(np.sqrt(np.mean(difference**2)) <= MAX_DIFFERENCE)
