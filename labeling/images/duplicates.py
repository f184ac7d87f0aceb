"""Find near-duplicates: candidates by their difference hashes, confirmed by their pixels."""

import io

import numpy as np
from django.core.files.storage import default_storage
from numpy.typing import NDArray
from PIL import Image

from labeling.models import Image as ImageRow
from labeling.models import Project

MAX_DISTANCE = 6  # bits of 64 that may differ
MAX_DIFFERENCE = 8.0  # of 255: root mean square over the pixels of thumbnails
MAX_CANDIDATES = 5  # compared by pixels, nearest first
SIDE = 32  # pixels of a thumbnail
MAX_CACHED = 20_000  # thumbnails, 3 KB each

Thumbnail = NDArray[np.uint8]


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
        self._thumbnails: dict[int, Thumbnail] = {}
        self._size = len(rows)
        self._ids = np.array([row[0] for row in rows], dtype=np.int64)
        self._hashes = np.array([row[1] for row in rows], dtype=np.int64)

    def original(self, perceptual_hash: int, data: bytes) -> int | None:
        """Return the id of the image that this one repeats, if any.

        Pixels are compared in colour: a red and a blue heart have the same hash.
        """
        nearest = self._nearest(perceptual_hash)
        if not nearest:
            return None
        image = thumbnail(data)
        return next((pk for pk in nearest if look_alike(image, self._thumbnail(pk))), None)

    def add(self, image_id: int, perceptual_hash: int, data: bytes) -> None:
        """Add an image that repeats none."""
        if self._size == len(self._ids):  # grow by doubling
            self._ids = np.resize(self._ids, max(64, 2 * self._size))
            self._hashes = np.resize(self._hashes, max(64, 2 * self._size))
        self._ids[self._size], self._hashes[self._size] = image_id, perceptual_hash
        self._size += 1
        self._cache(image_id, thumbnail(data))

    def _nearest(self, perceptual_hash: int) -> list[int]:
        """Return the ids of the nearest images within `MAX_DISTANCE`, `MAX_CANDIDATES` at most."""
        distance = np.bitwise_count(self._hashes[: self._size] ^ np.int64(perceptual_hash))
        near = np.flatnonzero(distance <= MAX_DISTANCE)
        nearest = near[np.argsort(distance[near], kind="stable")][:MAX_CANDIDATES]
        return [int(image_id) for image_id in self._ids[nearest]]

    def _thumbnail(self, image_id: int) -> Thumbnail:
        if image_id not in self._thumbnails:
            name = ImageRow.objects.values_list("file", flat=True).get(pk=image_id)
            with default_storage.open(name) as file:
                self._cache(image_id, thumbnail(file.read()))
        return self._thumbnails[image_id]

    def _cache(self, image_id: int, image: Thumbnail) -> None:
        self._thumbnails[image_id] = image
        if len(self._thumbnails) > MAX_CACHED:
            del self._thumbnails[next(iter(self._thumbnails))]


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
