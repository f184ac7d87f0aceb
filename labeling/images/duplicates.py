"""Find near-duplicates: candidates by their difference hashes, confirmed by their pixels."""

import io

import numpy as np
from django.core.files.storage import default_storage
from numpy.typing import NDArray
from PIL import Image

from labeling.models import Image as ImageRow
from labeling.models import Project

DISTANCE = 6  # bits of 64 that may differ
DIFFERENCE = 8.0  # of 255: root mean square over small colour copies
CANDIDATES = 5  # compared by pixels, nearest first
SIDE = 32  # pixels of a small copy
COPIES = 20_000  # small copies that are cached, 3 KB each

Copy = NDArray[np.uint8]


class DuplicateIndex:
    """The hashes of a project's images without its near-duplicates, searched by brute force.

    A million hashes are 8 MB, and one search is an xor and a bit count: milliseconds.
    """

    def __init__(self, project: Project) -> None:
        rows = list(
            ImageRow.objects.filter(project=project, near_duplicate_of=None)
            .order_by("id")
            .values_list("id", "perceptual_hash")
        )
        self._copies: dict[int, Copy] = {}
        self._size = len(rows)
        self._ids = np.array([row[0] for row in rows], dtype=np.int64)
        self._hashes = np.array([row[1] for row in rows], dtype=np.int64)

    def original(self, perceptual_hash: int, data: bytes) -> int | None:
        """Return the id of the image that this one repeats, if any.

        Pixels are compared in colour: a red and a blue heart have the same hash.
        """
        candidates = self._near(perceptual_hash)
        if not candidates:
            return None
        copy = small(data)
        return next((pk for pk in candidates if alike(copy, self._copy(pk))), None)

    def add(self, image_id: int, perceptual_hash: int, data: bytes) -> None:
        """Add an image that repeats none."""
        if self._size == len(self._ids):  # grow by doubling
            self._ids = np.resize(self._ids, max(64, 2 * self._size))
            self._hashes = np.resize(self._hashes, max(64, 2 * self._size))
        self._ids[self._size], self._hashes[self._size] = image_id, perceptual_hash
        self._size += 1
        self._cache_copy(image_id, small(data))

    def _near(self, perceptual_hash: int) -> list[int]:
        """Return the ids of images within `DISTANCE`, nearest first, `CANDIDATES` at most."""
        distance = np.bitwise_count(self._hashes[: self._size] ^ np.int64(perceptual_hash))
        near = np.flatnonzero(distance <= DISTANCE)
        nearest = near[np.argsort(distance[near], kind="stable")][:CANDIDATES]
        return [int(image_id) for image_id in self._ids[nearest]]

    def _copy(self, image_id: int) -> Copy:
        if image_id not in self._copies:
            name = ImageRow.objects.values_list("file", flat=True).get(pk=image_id)
            with default_storage.open(name) as file:
                self._cache_copy(image_id, small(file.read()))
        return self._copies[image_id]

    def _cache_copy(self, image_id: int, copy: Copy) -> None:
        self._copies[image_id] = copy
        if len(self._copies) > COPIES:
            del self._copies[next(iter(self._copies))]


def small(data: bytes) -> Copy:
    """Return a copy (32, 32, 3) to compare pixels with."""
    with Image.open(io.BytesIO(data), formats=("WEBP", "JPEG")) as image:
        image.draft("RGB", (4 * SIDE, 4 * SIDE))
        copy = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(copy)


def alike(one: Copy, other: Copy) -> bool:
    """Whether the root mean square of the pixels' differences is small."""
    difference = one.astype(np.float32) - other
    return bool(np.sqrt(np.mean(difference**2)) <= DIFFERENCE)
